package namespaces

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"starling/node/testnet/censor"
)

const (
	proxyPort = 4999 // on each machine whose connections are read
	mark      = 0x57 // of the proxy's packets
	probing   = 4    // addresses that are asked at a time
)

// reading is a censor that reads: a proxy on the machine of each user, or on its router, and
// probes from the censor's own address. All of it is in this process; only its sockets are in
// the namespaces.
type reading struct {
	censor *censor.Censor
	doors  []net.Listener
	ctx    context.Context
	stop   context.CancelFunc
	asks   chan struct{}
	work   sync.WaitGroup
}

// read begins to read, or changes the rules.
func (e *Engine) read(by censor.Rules) error {
	if r := e.reading.Load(); r != nil {
		r.censor.Set(by)
		return nil
	}
	r := &reading{censor: censor.New(), asks: make(chan struct{}, probing)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.censor.Set(by)
	r.censor.Ask = func(to netip.AddrPort, first []byte) {
		r.work.Go(func() { r.probe(e.lab, to, first) })
	}
	e.reading.Store(r)

	for i := range e.s.People() {
		machine := e.door(i)
		var door net.Listener
		err := e.lab.within(machine, func() (err error) {
			door, err = net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", proxyPort))
			return err
		})
		if err != nil {
			return fmt.Errorf("a proxy for %s: %w", machine, err)
		}
		r.doors = append(r.doors, door)
		r.work.Go(func() {
			r.censor.Serve(door, wanted, func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
				return e.lab.dial(ctx, machine, to)
			})
		})
	}
	return nil
}

// dialling is how long a probe may take to connect.
const dialling = 5 * time.Second

// probe asks an address from the censor's own.
func (r *reading) probe(l *lab, to netip.AddrPort, first []byte) {
	select {
	case r.asks <- struct{}{}:
		defer func() { <-r.asks }()
	case <-r.ctx.Done():
		return
	}
	asked, verdict := censor.Inspect(r.ctx, func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialling)
		defer cancel()
		return l.dial(ctx, spy, to)
	}, first)
	if r.ctx.Err() == nil {
		r.censor.Answered(to, asked, verdict)
	}
}

func (r *reading) close() {
	r.stop()
	for _, l := range r.doors {
		l.Close()
	}
	r.censor.Close()
	r.work.Wait()
}

// dial connects from a machine.
func (l *lab) dial(ctx context.Context, machine string, to netip.AddrPort) (c net.Conn, err error) {
	d := net.Dialer{Control: marked}
	err = l.within(machine, func() error {
		c, err = d.DialContext(ctx, "tcp4", to.String())
		return err
	})
	return c, err
}
