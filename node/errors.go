package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"starling/node/api"
	"starling/node/api/picture"
	"starling/node/chat"
	"starling/node/control"
	"starling/node/rooms"
	"starling/node/store"
	"starling/p2p"
	"starling/session"
	"starling/session/group"
)

var closedError = &api.Error{Code: api.CodeClosed, Message: "the node is shutting down"}

// apiError puts an error into words for a person. This is the one place where errors of
// the packages below become words.
func apiError(err error) error {
	if err == nil {
		return nil
	}

	// Put into words already, perhaps by a call within this one.
	var known *api.Error
	if errors.As(err, &known) {
		return known
	}

	// The caller's own end is no fault to explain.
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}

	e := &api.Error{Code: api.CodeInternal, Message: err.Error(),
		Hint: "this should not happen: please report it with what you did"}
	var damaged *store.DamagedError
	switch is := func(target error) bool { return errors.Is(err, target) }; {
	case is(store.ErrNoProfile):
		set(e, api.CodeNoProfile, "there is no profile in this folder", "make one: starling init --name NAME")
	case is(store.ErrExists):
		set(e, api.CodeProfileExists, "the folder holds a profile already", "choose another folder with --profile")
	case is(store.ErrWrongPassphrase):
		set(e, api.CodeWrongPassphrase, "wrong passphrase", "try again; without it the profile cannot be opened")
	case is(store.ErrInUse), is(control.ErrInUse):
		set(e, api.CodeInUse, "another process uses this profile", "stop it, or use another profile with --profile")
	case is(store.ErrFull):
		set(e, api.CodeDiskFull, "no space left on the disk", "free some space; nothing was lost, and nothing was half written")
	case is(store.ErrNewerBackup):
		set(e, api.CodeUsage, "the backup was made by a newer version of Starling", "update Starling: nothing is wrong with the backup")
	case is(store.ErrNoBackup):
		set(e, api.CodeDamaged, "this is not a whole backup of a Starling profile", "try another copy of it")
	case is(store.ErrFileExists):
		set(e, api.CodeUsage, "there is a file of this name already", "choose another name for the backup")
	case is(store.ErrNoSecret):
		set(e, api.CodeUsage, "the passphrase of the backup is empty", "whoever has the file would have all of it: choose a passphrase")
	case is(store.ErrNotEmpty):
		set(e, api.CodeUsage, "the folder is not empty", "choose another with --profile")
	case is(store.ErrNewer):
		set(e, api.CodeUsage, "the profile was last used by a newer version of Starling", "update Starling: this version changes nothing in the profile")
	case errors.As(err, &damaged):
		set(e, api.CodeDamaged, damaged.Error(), "restore a backup: starling restore FILE; keep the damaged folder until that has worked")
	case is(store.ErrClosed):
		return closedError
	case is(p2p.ErrOffline):
		set(e, api.CodeOffline, "not connected: no relay answers", "check the network, or give a relay's address with --bootstrap")
	case is(p2p.ErrFewRelays):
		set(e, api.CodeFewRelays, "too few relays are known for an anonymous route", "wait a moment, or give another relay's address with --bootstrap")
	case is(p2p.ErrTimeout), is(p2p.ErrUnknownRelay), is(p2p.ErrFull), is(p2p.ErrTaken):
		set(e, api.CodeTimeout, "no mailbox has answered in time", "try again")
	case is(rooms.ErrClosed), is(group.ErrGone):
		return notInRoom
	case is(group.ErrRank):
		return noRank
	case is(group.ErrFull):
		set(e, api.CodeRoomFull, "the room is full: it holds 32 people", "somebody has to leave first")
	case is(group.ErrSpent):
		set(e, api.CodeRoomFull, "this room was changed as often as it can be", "let another admin do it, or hand the room over: starling room role ROOM MEMBER owner; or make a new room")
	case is(group.ErrSoon):
		set(e, api.CodeNotReady, "the profile was restored: roles are not changed for an hour", "try again later")
	case is(group.ErrNotYet):
		set(e, api.CodeNotReady, "the room is just getting new keys", "try again in a moment")
	case is(session.ErrExpired):
		set(e, api.CodeInviteExpired, "the invite has expired", "ask for a new one")
	case is(session.ErrForeign):
		set(e, api.CodeBadInvite, "this is not a Starling invite", "an invite begins with starling:")
	case is(session.ErrVersion):
		set(e, api.CodeBadInvite, "the invite is of a newer version", "update Starling")
	case is(session.ErrTruncated):
		set(e, api.CodeBadInvite, "the invite is incomplete", "copy the whole link, to its last letter")
	case is(session.ErrChecksum):
		set(e, api.CodeBadInvite, "the invite is mistyped", "copy the link again, or scan the QR code")
	case is(session.ErrBundle):
		set(e, api.CodeInviteGone, "the invite leads nowhere: it was used, withdrawn, or its mailboxes are lost", "ask for a new one")
	case is(session.ErrTooLong):
		set(e, api.CodeTooLong, "the message is too long", "")
	case is(session.ErrExhausted):
		set(e, api.CodeInternal, "the session with this contact is used up", "make a new contact with a new invite")
	default:
		placeError(e, err)
	}
	return e
}

// placeError names the fault of a folder or file, if that is all there is.
func placeError(e *api.Error, err error) {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		set(e, api.CodeUsage, fmt.Sprintf("cannot use %s: %v", path.Path, path.Err), "check the path")
	case errors.As(err, &link):
		set(e, api.CodeUsage, fmt.Sprintf("cannot use %s: %v", link.New, link.Err), "check the path")
	case errors.Is(err, store.ErrUnusable):
		set(e, api.CodeUsage, "the profile's files cannot be read or written", "check the disk, and who owns the folder")
		return
	default:
		return
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "check who owns it and its rights, or choose another folder with --profile"
	case !errors.Is(err, fs.ErrNotExist):
		e.Hint = "mend that, or choose another folder with --profile"
	}
}

func textError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, chat.ErrEmpty):
		return &api.Error{Code: api.CodeEmpty, Message: "the message is empty", Hint: "write something"}
	case errors.Is(err, chat.ErrTooLong):
		return &api.Error{Code: api.CodeTooLong, Message: "the message is longer than 32 KiB", Hint: "send it in parts"}
	}
	return &api.Error{Code: api.CodeBadText, Message: "the message is not UTF-8 text", Hint: "convert it first"}
}

// captionError is what keeps a text from being sent beside a picture or a file.
func captionError(err error) error {
	if errors.Is(err, chat.ErrTooLong) {
		return &api.Error{Code: api.CodeTooLong, Message: "the text beside a picture or a file is longer than 8 KiB", Hint: "send it as a message of its own"}
	}
	return textError(err)
}

// pictureError is what keeps a picture from being sent.
func pictureError(err error) error {
	switch {
	case errors.Is(err, picture.ErrLarge):
		return &api.Error{Code: api.CodeTooLong, Message: "the picture is larger than 48 KiB", Hint: "send a smaller one"}
	case errors.Is(err, picture.ErrPixels):
		return &api.Error{Code: api.CodeTooLong, Message: "the picture has more pixels than can be shown: 2 million, and 4,096 on a side", Hint: "make it smaller, for example with: magick in.jpg -resize 1600x1200 out.jpg"}
	case errors.Is(err, picture.ErrBroken):
		return &api.Error{Code: api.CodeUsage, Message: "the picture is broken: nobody could see it", Hint: "open it in another program, and save it again"}
	}
	return &api.Error{Code: api.CodeUsage, Message: "this is not a PNG, JPEG or GIF", Hint: "convert it first"}
}

func nameError(err error) error {
	e := &api.Error{Code: api.CodeUsage, Message: "the name is not UTF-8 text", Hint: "choose another"}
	switch {
	case errors.Is(err, chat.ErrEmpty):
		e.Message = "the name is empty"
	case errors.Is(err, chat.ErrTooLong):
		e.Message = "the name is longer than 64 bytes"
	}
	return e
}

func set(e *api.Error, code api.Code, message, hint string) {
	e.Code, e.Message, e.Hint = code, message, hint
}
