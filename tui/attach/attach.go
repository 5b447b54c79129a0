// Package attach is the way of files between the person's disk and messages, for the app,
// for the app line by line and for the command line.
//
// On the way out a path was typed, completed or dropped on the terminal ([Paths],
// [Complete]). A picture is made small enough and rid of all but its pixels; any other file
// goes as it is, up to 48 KiB ([Load], [Make]). [Item.Notes] announces that.
//
// On the way in nothing is believed: [Save] writes under a name that was cleaned, into a
// file that was not there, and [Refusal] lets only those kinds be opened by a program of
// the system that no system runs.
package attach

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"starling/node/api"
	"starling/node/api/filename"
	"starling/node/api/picture"
	"starling/tui/catalogue"
	"starling/tui/words"
)

// A Kind is the form in which a file is sent.
type Kind int

const (
	Either    Kind = iota // a picture, if it is one that can be shown
	AsPicture             // or not at all
	AsFile                // as it is
)

// An Item is one file to send.
type Item struct {
	Name string // without a path, clean
	From int    // size of the file on the disk
	// File is sent as it is; of Picture the pixels are.
	File    []byte
	Picture *picture.Fitted
	given   []byte // of a picture that is small enough: the node cleans it
}

// Most is how much of a file is read to be sent as a kind: a byte more is too much.
func Most(kind Kind) int64 {
	if kind == AsFile {
		return api.MaxFile + 1
	}
	return picture.MaxSource + 1
}

// Make makes an item of a file that was read.
func Make(ctx context.Context, name string, data []byte, kind Kind) (*Item, error) {
	it := &Item{Name: filename.Clean(filepath.Base(name)), From: len(data)}
	if kind != AsFile {
		fit, err := picture.Fit(ctx, data)
		switch {
		case err == nil:
			it.Picture = &fit
			if it.given = data; fit.Anew {
				it.given = fit.Data
			}
			return it, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case kind == AsPicture, len(data) > api.MaxFile && !errors.Is(err, picture.ErrType):
			return nil, pictureError(err)
		}
	}

	if len(data) > api.MaxFile {
		return nil, tooLarge
	}
	it.File = append([]byte{}, data...)
	return it, nil
}

// Load reads a file of the disk. Pipes, devices and folders are none.
func Load(ctx context.Context, path string, kind Kind) (*Item, error) {
	info, err := os.Stat(path) // before it is opened: that may take for ever
	if err != nil || !info.Mode().IsRegular() {
		return nil, unreadable(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, Most(kind)))
	if err != nil {
		return nil, unreadable(err)
	}
	return Make(ctx, path, data, kind)
}

// Request is the message that carries the item.
func (it *Item) Request(contact, caption, id string) api.SendRequest {
	req := api.SendRequest{Contact: contact, Text: caption, ID: id}
	if it.Picture != nil {
		req.Picture = it.given
	} else {
		req.File = &api.SendFile{Name: it.Name, Data: it.File}
	}
	return req
}

// Whole reports whether a picture could go as a file too, with all that is in it.
func (it *Item) Whole() bool { return it.Picture != nil && it.From <= api.MaxFile }

// Notes announces the item before it is sent, line by line, in the words of t.
func (it *Item) Notes(t func(english string, args ...any) string) []string {
	p := it.Picture
	if p == nil {
		return []string{
			t("%s, %s", it.Name, words.Bytes(int64(len(it.File)))),
			t("It is sent as it is: what it tells of its author goes with it."),
		}
	}

	var out []string
	switch {
	case p.Anew && p.Smaller():
		out = append(out, t("%s: %d×%d, %s, made smaller to %d×%d, %s", it.Name, p.FromWidth, p.FromHeight, words.Bytes(int64(p.From)), p.Width, p.Height, words.Bytes(int64(len(p.Data)))))
	case p.Anew:
		out = append(out, t("%s: %d×%d, %s, packed anew to %s", it.Name, p.Width, p.Height, words.Bytes(int64(p.From)), words.Bytes(int64(len(p.Data)))))
	default:
		out = append(out, t("%s: %d×%d, %s", it.Name, p.Width, p.Height, words.Bytes(int64(len(p.Data)))))
	}
	if p.Still {
		out = append(out, t("It moves; only its first picture is sent."))
	}
	return append(out, t("Only its pixels are sent, upright: no place, camera, author or name."))
}

// The faults of a file.
var (
	tooLarge = &api.Error{Code: api.CodeTooLong, Message: catalogue.Mark("the file is larger than 48 KiB (49,152 bytes)"), Hint: catalogue.Mark("pack it, or send it by other means")}
	errRead  = &api.Error{Code: api.CodeUsage, Message: catalogue.Mark("the file cannot be read"), Hint: catalogue.Mark("check its name, and whether you may read it")}
	errNone  = &api.Error{Code: api.CodeUsage, Message: catalogue.Mark("there is no file of that name"), Hint: catalogue.Mark("tab completes a name")}
	errKind  = &api.Error{Code: api.CodeUsage, Message: catalogue.Mark("this is no file but a folder, a pipe or a device"), Hint: catalogue.Mark("pack a folder first, for example with zip")}
)

// unreadable names the fault of a path, which is no file if err is nil.
func unreadable(err error) error {
	switch {
	case err == nil:
		return errKind
	case errors.Is(err, os.ErrNotExist):
		return errNone
	}
	return errRead
}

// pictureError names the fault of a picture.
func pictureError(err error) error {
	switch {
	case errors.Is(err, picture.ErrLarge):
		return &api.Error{Code: api.CodeTooLong, Message: catalogue.Mark("the picture cannot be made small enough"), Hint: catalogue.Mark("make it smaller in another program")}
	case errors.Is(err, picture.ErrPixels):
		return &api.Error{Code: api.CodeTooLong, Message: catalogue.Mark("the picture has too many pixels to be opened here"), Hint: catalogue.Mark("make it smaller in another program")}
	case errors.Is(err, picture.ErrBroken):
		return &api.Error{Code: api.CodeUsage, Message: catalogue.Mark("the picture is broken: nobody could see it"), Hint: catalogue.Mark("open it in another program, and save it again")}
	}
	return &api.Error{Code: api.CodeUsage, Message: catalogue.Mark("this is not a PNG, JPEG, GIF or WebP"), Hint: catalogue.Mark("convert it first, or send it as a file")}
}
