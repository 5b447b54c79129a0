package web

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
)

// used returns how many bytes of memory are in use.
func used() float64 {
	for range 2 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

// What a visitor takes of a relay's memory, in bytes: before its hello, and after it.
// The other end is in the same process.
func BenchmarkVisitors(b *testing.B) {
	const n = 400
	for _, greets := range []bool{false, true} {
		b.Run(map[bool]string{false: "silent", true: "after TLS"}[greets], func(b *testing.B) {
			for b.Loop() {
				relay := newHost(b, true, nil)
				at := port(relay)
				before := used()
				var all []net.Conn
				for range n {
					c, err := net.Dial("tcp", at)
					if err != nil {
						b.Fatal(err)
					}
					if greets {
						tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
						if err := tc.Handshake(); err != nil {
							b.Fatal(err)
						}
						io.WriteString(tc, "GET / HTTP/1.1\r\n")
					}
					all = append(all, c)
				}
				time.Sleep(100 * time.Millisecond)
				b.ReportMetric((used()-before)/n, "B/visitor")
				for _, c := range all {
					c.Close()
				}
				relay.Close()
			}
		})
	}
}

// What a link takes, of both ends together.
func BenchmarkLinks(b *testing.B) {
	const n = 100
	for _, plain := range []bool{true, false} {
		b.Run(map[bool]string{true: "plain", false: "web"}[plain], func(b *testing.B) {
			for b.Loop() {
				relay := newHostOf(b, plain, true)
				var all []host.Host
				for range n {
					all = append(all, newHostOf(b, plain, false))
				}
				before := used()
				for _, c := range all {
					connect(b, c, relay)
					said(b, c, relay, make([]byte, 24_000))
				}
				time.Sleep(100 * time.Millisecond)
				b.ReportMetric((used()-before)/n, "B/link")
				relay.Close()
			}
		})
	}
}

func newHostOf(t testing.TB, plain, listens bool) host.Host {
	if plain {
		return newPlain(t, listens)
	}
	return newHost(t, listens, nil)
}

// Bytes a second of a stream, on loopback.
func BenchmarkThroughput(b *testing.B) {
	const size = 16 << 20
	data := make([]byte, size)
	rand.Read(data)
	for _, plain := range []bool{true, false} {
		b.Run(map[bool]string{true: "plain", false: "web"}[plain], func(b *testing.B) {
			relay, client := newHostOf(b, plain, true), newHostOf(b, plain, false)
			connect(b, client, relay)
			b.SetBytes(2 * size)
			for b.Loop() {
				said(b, client, relay, data)
			}
		})
	}
}

// How many times as long a stream takes over this transport as over plain TCP, in one run.
func BenchmarkBesidePlain(b *testing.B) {
	const size = 16 << 20
	data := make([]byte, size)
	rand.Read(data)
	var took [2]time.Duration
	for b.Loop() {
		for i, plain := range []bool{true, false} {
			relay, client := newHostOf(b, plain, true), newHostOf(b, plain, false)
			connect(b, client, relay)
			began := time.Now()
			said(b, client, relay, data)
			took[i] += time.Since(began)
			relay.Close()
			client.Close()
		}
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "x-plain")
}

// From nothing to the first answer over a link: bytes, round trips beside that of TCP,
// and time.
func BenchmarkFirst(b *testing.B) {
	for b.Loop() {
		relay := newHost(b, true, nil)
		var l line
		client := newHost(b, false, func(c *Config) { c.Dialer = &l })
		began := time.Now()
		connect(b, client, relay)
		said(b, client, relay, make([]byte, 1))
		up, down, flights := l.sums()
		b.ReportMetric(float64(up), "B-up")
		b.ReportMetric(float64(down), "B-down")
		b.ReportMetric(float64(flights), "flights")
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms")
	}
}
