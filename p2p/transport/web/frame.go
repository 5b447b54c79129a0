package web

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"time"

	"github.com/gobwas/ws"
)

const (
	// MaxFrame is the largest frame, so that one fits into a TLS record.
	MaxFrame = 16 << 10
	lengthOf = 2
	maxBody  = MaxFrame - lengthOf - 16 // the header of a WebSocket frame, and some room

	// The first frame, of the handshake, has so many bytes, and those after it that are smaller
	// than smallFrame up to paddingMost more than they need.
	handshakeLeast, handshakeMost = 320, 720
	smallFrame, paddingMost       = 640, 160

	readBuffer = 4 << 10

	// maxControl is the largest frame that is no data (RFC 6455, section 5.5). Of frames
	// without data there may be mostIdle more than of others: they are read, and pings
	// answered, as fast as they come, and nothing else slows down who sends them.
	maxControl = 125
	mostIdle   = 16
)

// errFrame: the bytes are no frame of ours.
var errFrame = errors.New("web: malformed frame")

// A framed connection carries bytes in WebSocket frames.
type framed struct {
	net.Conn // TLS
	server   bool
	r        *bufio.Reader

	// The frame that is being read.
	left, padding int // bytes of its body and of its padding
	mask          [4]byte
	at            int // in the mask
	idle          int // frames without data, less those with some

	// Noise has one Write at a time.
	wrote int    // frames
	buf   []byte // of a frame to be written
	head  []byte // of an answer, before the first frame and in one record with it
}

func newFramed(c net.Conn, r *bufio.Reader, server bool) *framed {
	return &framed{Conn: c, server: server, r: r}
}

// Read implements net.Conn.
func (f *framed) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.r.Read(p[:min(len(p), f.left)])
	f.unmask(p[:n])
	if f.left -= n; f.left == 0 && err == nil {
		err = f.skip()
	}
	if n > 0 {
		return n, nil // an error comes again
	}
	return 0, eof(err)
}

func (f *framed) unmask(p []byte) {
	if f.server {
		ws.Cipher(p, f.mask, f.at)
	}
	f.at += len(p)
}

// skip reads over the padding.
func (f *framed) skip() error {
	_, err := f.r.Discard(f.padding)
	f.padding = 0
	return eof(err)
}

// next reads frames up to the body of one with data.
func (f *framed) next() error {
	h, err := ws.ReadHeader(f.r)
	if err != nil {
		return err
	}

	// Clients mask and servers do not, by RFC 6455. We never split a frame.
	if h.Masked != f.server || h.Rsv != 0 || !h.Fin {
		return errFrame
	}

	// Frames without data cost a peer nothing, and us a turn.
	if f.idle++; f.idle > mostIdle {
		return errFrame
	}
	f.mask, f.at = h.Mask, 0
	switch h.OpCode {
	case ws.OpBinary:
		return f.begin(h.Length)
	case ws.OpPing, ws.OpPong:
		if h.Length > maxControl {
			return errFrame
		}
		body := make([]byte, h.Length)
		if _, err := io.ReadFull(f.r, body); err != nil {
			return eof(err)
		}
		if h.OpCode == ws.OpPong {
			return nil
		}
		f.unmask(body)
		return f.pong(body)
	case ws.OpClose:
		return io.EOF
	}
	return errFrame
}

// begin reads the length in a frame of data.
func (f *framed) begin(size int64) error {
	if size < lengthOf || size > MaxFrame {
		return errFrame
	}
	var length [lengthOf]byte
	if _, err := io.ReadFull(f.r, length[:]); err != nil {
		return eof(err)
	}
	f.unmask(length[:])
	f.left = int(binary.BigEndian.Uint16(length[:]))
	f.padding = int(size) - lengthOf - f.left
	if f.padding < 0 {
		f.left = 0
		return errFrame
	}
	if f.left == 0 {
		return f.skip()
	}
	f.idle = max(0, f.idle-2) // itself, and one more
	return nil
}

// Write implements net.Conn.
func (f *framed) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		body := p[:min(len(p), maxBody)]
		if err := f.put(body); err != nil {
			return n, err
		}
		n += len(body)
		p = p[len(body):]
	}
	return n, nil
}

// put writes one frame of data.
func (f *framed) put(body []byte) error {
	size := min(lengthOf+len(body)+f.draw(len(body)), MaxFrame)
	f.wrote++
	if f.buf == nil {
		f.buf = make([]byte, 0, MaxFrame)
	}

	out, mask := f.header(append(f.buf[:0], f.head...), ws.OpBinary, size)
	f.head = nil
	at := len(out)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)))
	out = append(out, body...)
	out = append(out, padding[:size-lengthOf-len(body)]...)
	f.buf = out
	err := f.send(out, at, mask)

	if cap(f.buf) > readBuffer && size < readBuffer/4 {
		f.buf = nil // idle connections keep no large buffer
	}
	return err
}

// padding has the most that a frame can need.
var padding [handshakeMost]byte

// draw returns the amount of padding for a body.
func (f *framed) draw(body int) int {
	if f.wrote == 0 && body+lengthOf < handshakeMost {
		least := max(handshakeLeast, body+lengthOf)
		return least + mathrand.IntN(handshakeMost-least) - body - lengthOf
	}
	if body < smallFrame {
		return mathrand.IntN(paddingMost)
	}
	return 0
}

// header appends the header of a frame.
func (f *framed) header(b []byte, op ws.OpCode, size int) (out []byte, mask [4]byte) {
	h := ws.Header{Fin: true, OpCode: op, Length: int64(size), Masked: !f.server}
	if h.Masked {
		rand.Read(h.Mask[:])
	}
	w := bytes.NewBuffer(b)
	ws.WriteHeader(w, h) // it cannot fail
	return w.Bytes(), h.Mask
}

// send masks a frame from its body on, and sends it in one piece.
func (f *framed) send(frame []byte, at int, mask [4]byte) error {
	if !f.server {
		ws.Cipher(frame[at:], mask, 0)
	}
	_, err := f.Conn.Write(frame)
	return err
}

// pong answers a ping, beside any Write: TLS sends each piece as a whole.
func (f *framed) pong(body []byte) error {
	out, mask := f.header(nil, ws.OpPong, len(body))
	return f.send(append(out, body...), len(out), mask)
}

// Close implements net.Conn. TLS says goodbye, if the other side reads.
func (f *framed) Close() error {
	f.Conn.SetWriteDeadline(time.Now().Add(time.Second))
	return f.Conn.Close()
}

// eof turns an end within a frame into an error.
func eof(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// newReader is the buffer before the frames of a connection.
func newReader(c net.Conn) *bufio.Reader { return bufio.NewReaderSize(c, readBuffer) }
