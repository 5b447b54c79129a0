// Package lan finds relays on the local network, for meshes without any other way in: a
// camp, a ship, a village cut off from its line.
//
// It speaks as much multicast DNS (RFC 6762) as that takes. A searcher sends one
// question to 224.0.0.251:5353, from a port of the moment and on every interface, and
// listens for a second; a relay answers that port directly:
//
//	question   PTR  _starling._tcp.local.            class IN, unicast answer wanted
//	answer     PTR  _starling._tcp.local.            <peer id>._starling._tcp.local.
//	           SRV  <peer id>._starling._tcp.local.  its TCP port
//
// Nothing is sent unasked, so a relay is silent until it is searched for, and a
// searcher announces nothing. But the question is heard by everybody on the network: it
// says that somebody at this address wants to use Starling. That is why nothing here
// runs unless the owner asked for it.
//
// An answer holds no address. A relay is where its answer came from, so that no
// machine of the network can name another one, and that address must be a
// private one: nobody is led out of the network. Beyond that an answer is a claim
// like any bootstrap address: the connection proves the peer id.
//
// IPv4 only.
package lan

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

const service = "_starling._tcp.local."

// group is where multicast DNS is spoken.
var group = netip.MustParseAddrPort("224.0.0.251:5353")

const (
	packetMax = 1500
	ttl       = 10 // seconds that an answer may be kept; nobody keeps ours
	// FindMax is how many relays one look returns at most.
	FindMax = 32
	// answersMax is how many of them one packet may name, and one address: a liar with
	// any number of names does not crowd out the others.
	answersMax = 4
	// A relay answers so many questions a second, and so many at once.
	answerRate, answerBurst = 10, 20

	unicast = 1 << 15 // in the class of a question: answer me directly
)

// ErrNoNetwork means that no interface of this machine speaks multicast.
var ErrNoNetwork = errors.New("no local network to look for relays on")

// A Relay is one that answered.
type Relay struct {
	ID   wire.NodeID
	Addr netip.AddrPort
}

// Find asks once and returns the relays that answer within wait. It is
// ErrNoNetwork if the question could not be sent anywhere.
func Find(ctx context.Context, wait time.Duration) ([]Relay, error) {
	interfaces, err := speaking()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return find(ctx, interfaces, group)
}

// An iface is an interface that speaks multicast, and its address.
type iface struct {
	net.Interface
	ip netip.Addr
}

// speaking lists the interfaces that speak multicast over IPv4.
func speaking() ([]iface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}

	var list []iface
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 || i.Flags&net.FlagPointToPoint != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}

		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
				list = append(list, iface{i, p.Addr()})
				break
			}
		}
	}

	if len(list) == 0 {
		return nil, ErrNoNetwork
	}
	return list, nil
}

func find(ctx context.Context, interfaces []iface, to netip.AddrPort) ([]Relay, error) {
	var id [2]byte
	rand.Read(id[:])
	nonce := binary.BigEndian.Uint16(id[:])
	question, err := ask(nonce)
	if err != nil {
		return nil, err
	}

	answers := make(chan Relay)
	var asked errgroup.Group
	sent := false
	for _, i := range interfaces {
		// One socket an interface: by the system's choice all would leave over the same one.
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(i.ip, 0)))
		if err != nil {
			continue
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		if ipv4.NewPacketConn(conn).SetMulticastInterface(&i.Interface) != nil {
			stop()
			conn.Close()
			continue
		}
		if _, err := conn.WriteToUDPAddrPort(question, to); err != nil {
			stop()
			conn.Close()
			continue
		}
		sent = true
		asked.Go(func() error {
			defer stop()
			defer conn.Close()
			listen(ctx, conn, nonce, answers)
			return nil
		})
	}

	if !sent {
		return nil, ErrNoNetwork
	}
	go func() {
		asked.Wait()
		close(answers)
	}()

	var found []Relay
	// Strangers answer here: admit bounds how many of them are taken.
	for r := range answers {
		found = admit(found, r)
	}
	return found, nil
}

// admit adds a relay to those found, unless it is among them, or there are as many as may
// be, in all or of its address.
func admit(found []Relay, r Relay) []Relay {
	here := 0
	for _, o := range found {
		if o == r {
			return found
		}
		if o.Addr.Addr() == r.Addr.Addr() {
			here++
		}
	}
	if len(found) >= FindMax || here >= answersMax {
		return found
	}
	return append(found, r)
}

// listen reads answers until ctx ends and closes the connection.
func listen(ctx context.Context, conn *net.UDPConn, nonce uint16, answers chan<- Relay) {
	packet := make([]byte, packetMax)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(packet)
		if err != nil {
			return
		}
		for _, r := range answered(packet[:n], nonce, from.Addr().Unmap()) {
			select {
			case answers <- r:
			case <-ctx.Done():
				return
			}
		}
	}
}

// ask makes a question.
func ask(nonce uint16) ([]byte, error) {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{ID: nonce},
		Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName(service), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET | unicast,
		}},
	}
	return m.Pack()
}

// answered reads the relays that an answer from an address names.
func answered(packet []byte, nonce uint16, from netip.Addr) []Relay {
	var p dnsmessage.Parser
	h, err := p.Start(packet)
	if err != nil || !h.Response || h.ID != nonce || p.SkipAllQuestions() != nil {
		return nil
	}

	var relays []Relay
	for len(relays) < answersMax {
		rh, err := p.AnswerHeader()
		if err != nil {
			break
		}
		if rh.Type != dnsmessage.TypeSRV {
			if p.SkipAnswer() != nil {
				break
			}
			continue
		}
		srv, err := p.SRVResource()
		if err != nil {
			break
		}

		label, ours := strings.CutSuffix(rh.Name.String(), "."+service)
		id, err := wire.ParseNodeID(label)
		// The address of the sender: one in the answer could be anybody's.
		at := directory.Address{AddrPort: netip.AddrPortFrom(from, srv.Port)}
		if ours && err == nil && srv.Port != 0 && from.IsValid() && !from.IsUnspecified() && !from.IsMulticast() && !at.Public() {
			relays = append(relays, Relay{ID: id, Addr: at.AddrPort})
		}
	}
	return relays
}

// Announce answers searches for relays, until ctx ends: this one is here, at this TCP
// port. It returns ctx's error, or why nobody can be heard.
func Announce(ctx context.Context, id wire.NodeID, port uint16) error {
	interfaces, err := speaking()
	if err != nil {
		return err
	}
	return announce(ctx, interfaces, group, id, port)
}

func announce(ctx context.Context, interfaces []iface, at netip.AddrPort, id wire.NodeID, port uint16) error {
	limit := rate.NewLimiter(answerRate, answerBurst)
	var g errgroup.Group
	var failed error
	hearing := 0

	for _, i := range interfaces {
		conn, err := net.ListenMulticastUDP("udp4", &i.Interface, net.UDPAddrFromAddrPort(at))
		if err != nil {
			failed = err
			continue
		}

		hearing++
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		g.Go(func() error {
			defer stop()
			defer conn.Close()
			packet := make([]byte, packetMax)
			for {
				n, from, err := conn.ReadFromUDPAddrPort(packet)
				if err != nil {
					return err
				}
				nonce, ok := asked(packet[:n])
				// Senders can be forged: the limit keeps us from being an amplifier.
				if !ok || !limit.Allow() {
					continue
				}
				if answer, err := answer(nonce, id, port); err == nil {
					conn.WriteToUDPAddrPort(answer, from) // an asker that did not hear it asks again
				}
			}
		})
	}

	if hearing == 0 {
		return fmt.Errorf("listen for who looks for relays: %w", failed)
	}

	err := g.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// asked reports whether a packet asks for relays, and under which number.
func asked(packet []byte) (nonce uint16, ok bool) {
	var p dnsmessage.Parser
	h, err := p.Start(packet)
	if err != nil || h.Response || h.OpCode != 0 {
		return 0, false
	}
	q, err := p.Question()
	if err != nil || q.Type != dnsmessage.TypePTR || q.Class&^unicast != dnsmessage.ClassINET || !strings.EqualFold(q.Name.String(), service) {
		return 0, false
	}
	return h.ID, true
}

func answer(nonce uint16, id wire.NodeID, port uint16) ([]byte, error) {
	name, err := dnsmessage.NewName(id.String() + "." + service)
	if err != nil {
		return nil, err
	}
	all := dnsmessage.MustNewName(service)
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: nonce, Response: true, Authoritative: true},
		Questions: []dnsmessage.Question{{Name: all, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}},
		Answers: []dnsmessage.Resource{
			{Header: dnsmessage.ResourceHeader{Name: all, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET, TTL: ttl}, Body: &dnsmessage.PTRResource{PTR: name}},
			{Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET, TTL: ttl}, Body: &dnsmessage.SRVResource{Port: port, Target: name}},
		},
	}
	return m.Pack()
}
