package relay

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	natpmp "github.com/jackpal/go-nat-pmp"
	"github.com/libp2p/go-libp2p/p2p/net/nat"
	"github.com/libp2p/go-netroute"
)

const (
	pmpAnswer = 3 * time.Second
	// A mapping is asked for anew at a third of its life: a router may restart.
	pmpLife  = 10 * time.Minute
	pmpRenew = pmpLife / 3
)

// somewhere is an address of nobody's (RFC 5737) to which the way is the default one.
var somewhere = net.IPv4(198, 51, 100, 1)

// findRouter looks for one on the local network: by UPnP, and by NAT-PMP at the default
// gateway. libp2p's own NAT-PMP finds no gateway on Linux with go-netroute v0.4: it asks
// for the way to 0.0.0.0, which is refused.
func findRouter(ctx context.Context) (Router, error) {
	type found struct {
		router Router
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The one that comes second is closed by its own goroutine.
	answers := make(chan found)
	for _, find := range []func() (Router, error){
		func() (Router, error) { return nat.DiscoverNAT(ctx) },
		func() (Router, error) { return findPMP() },
	} {
		go func() {
			r, err := find()
			select {
			case answers <- found{r, err}:
			case <-ctx.Done():
				if err == nil {
					r.Close()
				}
			}
		}()
	}

	var errs []error
	for range 2 {
		select {
		case f := <-answers:
			if f.err == nil {
				return f.router, nil
			}
			errs = append(errs, f.err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, errors.Join(errs...)
}

// pmp is a router that speaks NAT-PMP (RFC 6886).
type pmp struct {
	client *natpmp.Client
	stop   context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	outside netip.Addr
	ports   map[int]uint16 // outside, by those here; 0: not now
}

// findPMP asks the default gateway.
func findPMP() (*pmp, error) {
	router, err := netroute.New()
	if err != nil {
		return nil, err
	}
	_, gateway, _, err := router.Route(somewhere)
	if err != nil {
		return nil, err
	}
	if gateway == nil || gateway.IsUnspecified() {
		return nil, errors.New("no default gateway")
	}

	r := &pmp{client: natpmp.NewClientWithTimeout(gateway, pmpAnswer), ports: map[int]uint16{}, done: make(chan struct{})}
	if err := r.look(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background()) // ends with Close
	r.stop = stop
	go r.renew(ctx)
	return r, nil
}

// look asks for the address outside.
func (r *pmp) look() error {
	answer, err := r.client.GetExternalAddress()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.outside = netip.Addr{}
		return err
	}
	r.outside = netip.AddrFrom4(answer.ExternalIPAddress)
	return nil
}

// ask asks for a port, the same outside if it is free.
func (r *pmp) ask(port int, life time.Duration) error {
	answer, err := r.client.AddPortMapping("tcp", port, port, int(life/time.Second))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ports[port] = 0
	if err != nil {
		return err
	}
	r.ports[port] = answer.MappedExternalPort
	return nil
}

// renew asks again until ctx ends.
func (r *pmp) renew(ctx context.Context) {
	defer close(r.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pmpRenew):
		}
		r.look()
		for _, port := range r.asked() {
			r.ask(port, pmpLife)
		}
	}
}

// asked are the ports here.
func (r *pmp) asked() (ports []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for port := range r.ports {
		ports = append(ports, port)
	}
	return ports
}

// AddMapping implements Router.
func (r *pmp) AddMapping(_ context.Context, _ string, port int) error { return r.ask(port, pmpLife) }

// GetMapping implements Router.
func (r *pmp) GetMapping(_ string, port int) (netip.AddrPort, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return netip.AddrPortFrom(r.outside, r.ports[port]), r.outside.IsValid() && r.ports[port] != 0
}

// RemoveMapping implements Router.
func (r *pmp) RemoveMapping(_ context.Context, _ string, port int) error {
	err := r.ask(port, 0)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ports, port)
	return err
}

// Close implements Router. Mappings end with their life, if they were not removed.
func (r *pmp) Close() error {
	r.stop()
	<-r.done
	return nil
}
