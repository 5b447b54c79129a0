package virtualtime

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// pair connects two nodes, and returns how long that took.
func pair(t *testing.T, n *Network) (near, far net.Conn, took time.Duration) {
	t.Helper()
	l, err := n.listen(&net.TCPAddr{IP: Address(1), Port: Port})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := time.Now()
	near, err = n.dial(t.Context(), Address(0), &net.TCPAddr{IP: Address(1), Port: Port})
	if err != nil {
		t.Fatal(err)
	}
	took = time.Since(began)
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far, took
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// links of 50 ms and 10 Mbit/s.
func links(loss float64) Links {
	return Links{LatencyMin: 50 * time.Millisecond, BitsPerSecond: 10_000_000, Loss: loss, Seed: 1}
}

// TestStrays: a dial of an address that no machine has is counted, one of a machine is
// not, whether it answers or is off the network.
func TestStrays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(links(0))
		n.Options(1)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for _, to := range []string{Address(1).String() + ":4001", "9.9.9.9:80", "127.0.0.1:22", "9.9.9.9:80"} {
			if _, err := n.Dialer(0)(ctx, "tcp4", to); err == nil {
				t.Errorf("%s answers", to)
			}
		}
		n.Down(1, true)
		n.Dialer(0)(ctx, "tcp4", Address(1).String()+":4001")
		if got := n.Strays(); got != 3 {
			t.Errorf("%d strays", got)
		}
	})
}

// TestConn: written bytes are read, both ways, under any loss, and take the time
// that the links ask for.
func TestConn(t *testing.T) {
	for _, c := range []struct {
		loss        float64
		least, most time.Duration
	}{
		{0, 1600 * time.Millisecond, 3 * time.Second}, // 2 MB at 10 Mbit/s, and a slow start
		{0.02, 2 * time.Second, 2 * time.Minute},
		{0.3, 10 * time.Second, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := NewNetwork(links(c.loss))
			near, far, _ := pair(t, n)
			began := time.Now()
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				what := random(2 << 20)
				go func() {
					for b := what; len(b) > 0; {
						k := min(len(b), 1+int(b[0])*97)
						if _, err := way[0].Write(b[:k]); err != nil {
							t.Error(err)
						}
						b = b[k:]
					}
				}()
				got := make([]byte, len(what))
				if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, what) {
					t.Fatalf("loss %v: read something else, %v", c.loss, err)
				}
				took := time.Since(began)
				if began = time.Now(); took < c.least || took > c.most {
					t.Errorf("loss %v: took %v", c.loss, took)
				}
			}
			sent, lost := n.Packets()
			t.Logf("%d packets, %d lost", sent, lost)
			near.Close()
			far.Close()
		})
	}
}

// TestTimes: a connection takes a round trip, a byte half of one.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, took := pair(t, NewNetwork(links(0)))
		if took < 100*time.Millisecond || took > 101*time.Millisecond {
			t.Errorf("connected after %v", took)
		}
		began := time.Now()
		near.Write([]byte{1})
		io.ReadFull(far, make([]byte, 1))
		if d := time.Since(began); d < 50*time.Millisecond || d > 51*time.Millisecond {
			t.Errorf("a byte took %v", d)
		}
		far.SetReadDeadline(time.Now().Add(time.Second))
		began = time.Now()
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestEnds: how connections end, and how they do not begin.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(links(0))
		near, far, _ := pair(t, n)
		near.Write([]byte("last words"))
		near.Close()
		if b, err := io.ReadAll(far); string(b) != "last words" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q, %v", b, err)
		}
		if _, err := far.Write([]byte{1}); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write to who is gone: %v", err)
		}

		// Its end hears nothing of the other's, and is answered by a reset later.
		near, far, _ = pair(t, n)
		n.Down(1, true)
		far.Close()
		time.Sleep(time.Minute)
		if _, err := near.Write([]byte{1}); err != nil {
			t.Error(err)
		}
		near.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("from who is down: %v", err)
		}
		n.Down(1, false)
		near.SetReadDeadline(time.Time{})
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("from who is back: %v", err)
		}

		to := &net.TCPAddr{IP: Address(1), Port: Port}
		if _, err := n.dial(t.Context(), Address(0), to); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("to who does not listen: %v", err)
		}
		n.Cut(1)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := n.dial(ctx, Address(0), to); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("over a cut: %v after %v", err, time.Since(began))
		}
	})
}

// TestCut: bytes for a node that is cut off wait, as many as the kernel buffers,
// and arrive in the end.
func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(links(0))
		near, far, _ := pair(t, n)
		n.Cut(0)
		what := random(4 << 20)
		near.SetWriteDeadline(time.Now().Add(time.Minute))
		wrote, err := near.Write(what)
		if !errors.Is(err, os.ErrDeadlineExceeded) || wrote < 1<<20 || wrote > 2<<20 {
			t.Fatalf("wrote %d, %v", wrote, err)
		}
		n.Heal()
		got := make([]byte, wrote)
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, what[:wrote]) {
			t.Fatalf("read something else, %v", err)
		}
	})
}

// TestCount: every packet counts with its headers, on both sides.
func TestCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(links(0))
		near, far, _ := pair(t, n)
		check := func(what string, in, out int64) {
			t.Helper()
			time.Sleep(time.Second)
			gotIn, gotOut := n.Traffic(0)
			farIn, farOut := n.Traffic(1)
			if gotIn != in || gotOut != out || farIn != out || farOut != in {
				t.Errorf("%s: %d in, %d out, and %d in, %d out; want %d, %d", what, gotIn, gotOut, farIn, farOut, in, out)
			}
		}
		check("connect", 60, 60+52)
		// Two packets, which are acknowledged together.
		near.Write(random(mss + 1))
		io.ReadFull(far, make([]byte, mss+1))
		check("write", 60+52, 60+52+mss+52+1+52)
		// One, with which the answer goes. The share of the answer is counted when it
		// is clear that nothing goes along.
		near.Write([]byte{1})
		io.ReadFull(far, make([]byte, 1))
		far.Write([]byte{1})
		io.ReadFull(near, make([]byte, 1))
		time.Sleep(time.Second)
		near.Write([]byte{1})
		io.ReadFull(far, make([]byte, 1))
		check("answer", 60+52+53, 60+52+mss+52+1+52+53+52+53)
		// Nobody probes an idle connection: see package host.
		time.Sleep(time.Hour)
		near.Write([]byte{1})
		io.ReadFull(far, make([]byte, 1))
		check("idle", 60+52+53+52, 60+52+mss+52+1+52+53+52+53+53)
	})
}
