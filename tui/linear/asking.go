package linear

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"time"

	xterm "golang.org/x/term"

	"starling/node/api"
)

// asking reads lines one by one when they are asked for, so that a secret can
// be read without its letters being shown. A read of the standard input cannot
// be interrupted: the goroutine ends with the line it waits for.
type asking struct {
	ctx     context.Context
	want    chan bool // secret
	lines   chan string
	ended   chan error
	pending bool // a line has been asked for and has not come
}

var errIdle = errors.New("nobody is there")

func ask(ctx context.Context, in io.Reader) *asking {
	a := &asking{ctx: ctx, want: make(chan bool), lines: make(chan string), ended: make(chan error, 1)}
	file, _ := in.(*os.File)
	terminal := file != nil && xterm.IsTerminal(int(file.Fd()))

	go func() {
		s := bufio.NewScanner(in)
		s.Buffer(make([]byte, 4096), api.MaxText+4096)
		for {
			var secret bool
			select {
			case <-ctx.Done():
				return
			case secret = <-a.want:
			}

			var text string
			if secret && terminal {
				b, err := xterm.ReadPassword(int(file.Fd()))
				if err != nil {
					a.ended <- err
					return
				}
				text = string(b)
			} else {
				if !s.Scan() {
					a.ended <- cmp.Or(s.Err(), io.EOF)
					return
				}
				text = s.Text()
			}

			select {
			case a.lines <- text:
			case <-ctx.Done():
				return
			}
		}
	}()
	return a
}

// line waits for a line. It gives up with errIdle after idle, 0 for never.
func (a *asking) line(secret bool, idle time.Duration) (string, error) {
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
	case text := <-a.lines:
		a.pending = false
		return text, nil
	case <-over:
		return "", errIdle
	}
}
