package link

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"starling/p2p/wire"
)

// errSlow means that a frame began and did not end.
var errSlow = errors.New("link: frame not completed in time")

// read takes frames from a line until it ends, and sees to what becomes of the link then.
func (l *Links) read(e *end, ln *line) {
	err := l.frames(e, ln)
	switch {
	case errors.Is(err, wire.ErrHello):
		l.count("no hello")
	case errors.Is(err, wire.ErrFrame):
		l.count("malformed frame")
	case errors.Is(err, errSlow):
		l.count("slow frame")
	}
	close(ln.gone)

	malformed := errors.Is(err, wire.ErrFrame) || errors.Is(err, wire.ErrHello)
	silent := os.IsTimeout(err) // for as long as Config.Idle allows
	switch carried := e.lost(ln); {
	case !carried && !malformed:
		l.hangUp(ln)
	case !e.lasts || malformed || silent || errors.Is(err, io.EOF) || l.ctx.Err() != nil:
		e.back(ln)
		l.end(e, false)
	case e.dialled && ln.brief():
		l.hangUp(ln)
		l.gone(e)
	case e.dialled:
		e.broke(ln.received())
		l.hangUp(ln)
		l.renew(e, nil)
	default:
		l.hangUp(ln)
		l.dropAbsent()
	}
}

// hangUp ends a line, and nobody waits for it.
func (l *Links) hangUp(ln *line) { l.Go(func(context.Context) { ln.hangUp() }) }

// frames hands frames on.
func (l *Links) frames(e *end, ln *line) error {
	for {
		if err := l.pace(e, ln); err != nil {
			return err
		}
		if l.cfg.Idle != nil {
			ln.stream.SetReadDeadline(time.Now().Add(l.cfg.Idle(e.peer)))
		}

		f := new(wire.Frame)
		n, err := ln.Read(f[:])
		if n < len(f) {
			if n == 0 {
				if err != nil {
					return err
				}
				continue
			}
			ln.stream.SetReadDeadline(time.Now().Add(l.cfg.FrameTimeout))
			if _, err := io.ReadFull(ln, f[n:]); err != nil {
				if os.IsTimeout(err) {
					return errSlow
				}
				return err
			}
			ln.stream.SetReadDeadline(time.Time{})
		}

		if err := f.Check(); err != nil {
			return err
		}
		l.in.Add(1)
		if n := ln.all.Add(1); ln.spent() {
			l.renew(e, ln)
		} else if n%carriedEvery == 0 && ln.allowance == 0 && e.dialled {
			l.cfg.Network.Carried(e.peer, ln.received())
		}
		if err := l.frame(e, ln, f); err != nil {
			return err
		}
	}
}

// frame takes one frame.
func (l *Links) frame(e *end, ln *line, f *wire.Frame) error {
	switch f.Type() {
	case wire.TypeHello:
		return wire.ErrFrame // there is one
	case wire.TypeReceived:
		n, err := wire.ParseReceived(f.Body())
		if err != nil {
			return err
		}
		freed, err := e.acknowledge(ln, n)
		l.counted(-freed)
		return err
	}
	if e.take(ln) {
		l.tap("in", ln, e.peer, f.Body())
		l.cfg.Handle(e.peer, f)
	}
	return nil
}

// write writes the frames of a link to the line that carries it, until the link ends.
func (l *Links) write(e *end) {
	for {
		ln, batch := e.next()
		if len(batch) == 0 {
			select {
			case f := <-e.hungry():
				if !e.keep(f) {
					l.counted(-1)
				}
			case <-e.more:
			case <-e.done:
				return
			}
			continue
		}

		data := batch[0][:]
		if len(batch) > 1 { // one record, one system call
			data = make([]byte, 0, len(batch)*wire.FrameSize)
			for _, f := range batch {
				data = append(data, f[:]...)
			}
		}
		for _, f := range batch {
			l.tap("out", ln, e.peer, f.Body())
		}
		if l.cfg.Out != nil && l.cfg.Out.WaitN(l.ctx, len(batch)) != nil {
			return // the reader sees to the end
		}

		ln.write(data)
		l.counted(-e.written())
		e.last.Store(time.Now().UnixNano())
		l.out.Add(int64(len(batch)))
	}
}

// write writes to the line. One that does not take it ends.
func (ln *line) write(data []byte) {
	select {
	case ln.asked <- struct{}{}:
	default:
	}
	ln.stream.SetWriteDeadline(time.Now().Add(WriteTimeout))
	if _, err := ln.Write(data); err != nil {
		ln.stream.Reset()
	}
}
