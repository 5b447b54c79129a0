package linear

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	xterm "golang.org/x/term"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
)

// asking reads lines one by one when they are asked for, so that a secret can
// be read without its letters being shown. A read of the standard input cannot
// be interrupted: the goroutine ends with the line it waits for.
type asking struct {
	ctx     context.Context
	want    chan bool // secret
	lines   chan typed
	ended   chan error
	pending bool     // a line has been asked for and has not come
	back    []string // lines that were read for something else
}

// typed is a line, or the fault of one.
type typed struct {
	text  string
	fault error
}

var errIdle = errors.New("nobody is there")

// maxLine is the longest line that is kept, in bytes: a message, and a command before
// it. Of a longer one nothing is.
const maxLine = api.MaxText + 4096

func ask(ctx context.Context, in io.Reader) *asking {
	a := &asking{ctx: ctx, want: make(chan bool), lines: make(chan typed), ended: make(chan error, 1)}
	// A pipe has no echo to switch off.
	file, _ := in.(*os.File)
	terminal := isTerminal(in)

	go func() {
		r := bufio.NewReaderSize(in, 4096)
		for {
			var secret bool
			select {
			case <-ctx.Done():
				return
			case secret = <-a.want:
			}

			var line typed
			var err error
			if secret && terminal {
				var b []byte
				if b, err = xterm.ReadPassword(int(file.Fd())); err == nil {
					line = decoded(b)
				}
			} else {
				line, err = readLine(r)
			}
			if err != nil {
				a.ended <- err
				return
			}

			select {
			case a.lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return a
}

func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && xterm.IsTerminal(int(file.Fd()))
}

// readLine reads a line of any length. The last one needs no end.
func readLine(r *bufio.Reader) (typed, error) {
	var kept []byte
	size := 0
	for {
		piece, err := r.ReadSlice('\n')
		size += len(piece)
		if size <= maxLine {
			kept = append(kept, piece...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}

		switch {
		case err != nil && (err != io.EOF || size == 0):
			return typed{}, cmp.Or(err, io.EOF)
		case size > maxLine:
			return typed{fault: tooLong(size)}, nil
		}
		return decoded(kept), nil
	}
}

// decoded is a line of bytes as text, without its end.
func decoded(b []byte) typed {
	text, err := safetext.Decode(b)
	if err != nil {
		return typed{fault: &api.Error{Code: api.CodeBadText, Message: catalogue.Mark("that line is not UTF-8 text; nothing of it was sent"), Hint: catalogue.Mark("Convert it first.")}}
	}
	return typed{text: strings.TrimSuffix(text, "\n")}
}

func tooLong(size int) error {
	return &api.Error{
		Code:    api.CodeTooLong,
		Message: fmt.Sprintf(catalogue.Mark("that line has %d bytes, a message takes %d; nothing of it was sent"), size, api.MaxText),
		Hint:    catalogue.Mark("Send it in parts."),
	}
}

// line waits for a line. It gives up with errIdle after idle, 0 for never. An
// [*api.Error] is a fault of the line alone; the next one can be asked for.
func (a *asking) line(secret bool, idle time.Duration) (string, error) {
	if len(a.back) > 0 {
		text := a.back[0]
		a.back = a.back[1:]
		return text, nil
	}

	// A read that an idle time has given up goes on: its line is the answer to the next question.
	if !a.pending {
		select {
		case a.want <- secret:
			a.pending = true
		case err := <-a.ended:
			a.ended <- err
			return "", err
		case <-a.ctx.Done():
			return "", a.ctx.Err()
		}
	}

	var over <-chan time.Time
	if idle > 0 {
		timer := time.NewTimer(idle)
		defer timer.Stop()
		over = timer.C
	}

	select {
	case <-a.ctx.Done():
		return "", a.ctx.Err()
	case err := <-a.ended:
		a.ended <- err
		return "", err
	case line := <-a.lines:
		a.pending = false
		return line.text, line.fault
	case <-over:
		return "", errIdle
	}
}

// unread gives a line back: it is the next one.
func (a *asking) unread(text string) { a.back = append(a.back, text) }
