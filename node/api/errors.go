package api

import "errors"

// An Error is a failure in words for a person, with the next step as a hint. It holds
// no secret and no text chosen by a peer.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Is makes two errors of one code equal to [errors.Is].
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of the [Error] in err's chain, [CodeInternal] for
// any other error and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// Code is the closed set of things that go wrong. The exit code of a command
// follows from it (see the table in docs/COMMANDS.md).
type Code string

const (
	CodeInternal        Code = "internal"
	CodeUsage           Code = "usage"
	CodeNoProfile       Code = "no_profile"
	CodeProfileExists   Code = "profile_exists"
	CodeWrongPassphrase Code = "wrong_passphrase"
	CodeWeakPassphrase  Code = "weak_passphrase" // a new one is too easy to guess
	CodeLocked          Code = "locked"          // the profile is locked, and its passphrase opens it
	CodeDamaged         Code = "damaged_profile"
	CodeInUse           Code = "profile_in_use"
	CodeNoContact       Code = "unknown_contact"
	CodeAmbiguous       Code = "ambiguous_contact"
	CodeContactExists   Code = "contact_exists"
	CodeBadInvite       Code = "bad_invite"     // truncated, mistyped, another program's
	CodeInviteExpired   Code = "invite_expired" // its time is over
	CodeInviteGone      Code = "invite_gone"    // used, withdrawn, or its mailboxes are lost
	CodeOwnInvite       Code = "own_invite"
	CodeNoInvite        Code = "unknown_invite"
	CodeNoBridge        Code = "unknown_bridge"
	CodeEmpty           Code = "empty_message"
	CodeTooLong         Code = "message_too_long"
	CodeBadText         Code = "bad_text" // not UTF-8
	CodeNoRoom          Code = "unknown_room"
	CodeNoMember        Code = "unknown_member"
	CodeRoomFull        Code = "room_full" // it holds [MaxMembers] people
	CodeRank            Code = "rank"      // our role does not allow it
	CodeNotReady        Code = "not_ready" // we are not in the room: we wait, have left, or were removed
	CodeNoMessage       Code = "unknown_message"
	CodeOffline         Code = "offline"    // no guard can be reached
	CodeFewRelays       Code = "few_relays" // too few relays for a route: fails closed
	CodeChanged         Code = "changed"    // something else holds by now: look again
	CodeTimeout         Code = "timeout"
	CodeDiskFull        Code = "disk_full"
	CodeClosed          Code = "closed" // the node is shutting down
)
