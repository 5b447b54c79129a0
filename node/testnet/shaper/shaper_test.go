package shaper

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixed are links that are all alike.
type fixed struct {
	delay time.Duration
	rate  float64
	lost  int // of the first packets
}

func (f *fixed) Delay(int, int, time.Duration) (time.Duration, bool) {
	f.lost--
	return f.delay, f.lost >= 0
}
func (f *fixed) Rate(int, bool, time.Duration) float64 { return f.rate }

// echo answers with the same bytes.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func through(t *testing.T, s *Shaper, target string) net.Conn {
	port, err := s.Door(0, target)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func roundTrip(t *testing.T, c net.Conn, size int) time.Duration {
	t.Helper()
	began := time.Now()
	sent, got := bytes.Repeat([]byte("x"), size), make([]byte, size)
	go c.Write(sent)
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(sent, got) {
		t.Fatal("the bytes are not those sent:", err)
	}
	return time.Since(began)
}

// TestShapes: a round trip takes two delays, what is lost comes later, and what is large
// as the rates allow. Only lower bounds: the machine may be busy.
func TestShapes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		paths fixed
		size  int
		least time.Duration
	}{
		{"delay", fixed{delay: 30 * time.Millisecond, rate: 1e9}, 10, 60 * time.Millisecond},
		{"loss", fixed{delay: time.Millisecond, rate: 1e9, lost: 1}, 10, repair},
		{"rate", fixed{rate: 8e6}, 100_000, 100 * time.Millisecond},
	} {
		s := New(&tt.paths, 1, func(int) int { return 1 })
		if took := roundTrip(t, through(t, s, echo(t)), tt.size); took < tt.least {
			t.Errorf("%s: the round trip took %v, at least %v is right", tt.name, took, tt.least)
		}
		s.Close()
	}
}

// TestCut: what is sent while the way is cut or blocked comes when it is mended. The ways
// of outsiders stay open.
func TestCut(t *testing.T) {
	for _, tt := range []struct {
		name       string
		brk, mend  func(*Shaper)
		from       int
		comesAtAll bool
	}{
		{"cut", func(s *Shaper) { s.Cut([]int{0}) }, (*Shaper).Heal, 1, false},
		{"block", func(s *Shaper) { s.Block([]int{0}) }, (*Shaper).Unblock, 1, false},
		{"cut together", func(s *Shaper) { s.Cut([]int{0, 1}) }, (*Shaper).Heal, 1, true},
		{"outsider", func(s *Shaper) { s.Cut([]int{0}); s.Block([]int{0}) }, (*Shaper).Heal, Outsider, true},
	} {
		s := New(&fixed{rate: 1e9}, 1, func(int) int { return tt.from })
		c := through(t, s, echo(t))
		tt.brk(s)
		c.Write([]byte("x"))
		c.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
		if _, err := io.ReadFull(c, make([]byte, 1)); (err == nil) != tt.comesAtAll {
			t.Errorf("%s: %v", tt.name, err)
		}
		tt.mend(s)
		if !tt.comesAtAll {
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Errorf("%s, mended: %v", tt.name, err)
			}
		}
		s.Close()
	}
}

// TestEnds: the end of a relay is that of its connections, and a relay that is down
// closes them.
func TestEnds(t *testing.T) {
	s := New(&fixed{rate: 1e9}, 1, func(int) int { return 1 })
	defer s.Close()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Write([]byte("bye"))
			c.Close()
		}
		l.Close()
	}()
	c := through(t, s, l.Addr().String())
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(c); string(got) != "bye" {
		t.Errorf("%q, %v", got, err)
	}
	down := through(t, s, l.Addr().String())
	down.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := down.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Error(err)
	}
}

// TestOwners: the process of a connection is found, and a strange one is not.
func TestOwners(t *testing.T) {
	if !Known {
		t.Skip("this system does not tell")
	}
	o := &Owners{Processes: func() map[int]int { return map[int]int{os.Getpid(): 7} }}
	c, err := net.Dial("tcp4", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	port := c.LocalAddr().(*net.TCPAddr).Port
	answers := make(chan int)
	for range 3 {
		go func() { answers <- o.Of(port) }()
	}
	for range 3 {
		if m := <-answers; m != 7 {
			t.Errorf("it is machine %d", m)
		}
	}
	o.Processes = func() map[int]int { return map[int]int{1 << 30: 3} }
	if m := o.Of(port); m != Outsider {
		t.Errorf("it is machine %d", m)
	}
}
