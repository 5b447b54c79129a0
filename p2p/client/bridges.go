package client

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/transport"

	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/pace"
)

// newWays makes the ways over bridges of a client.
func newWays(c *Client) error {
	c.line = host.NewLine(host.Sockets(c.source), func(a book.Address) bool { return c.ways.May(a) }, func(a book.Address) (string, bool) { return c.ways.Name(a) })
	c.ways = bridge.New(bridge.Config{
		Only:    c.cfg.OnlyBridges,
		Changed: func(up bool) { bridgeChanged(c, up) },
		Network: surroundings{c},
		Dial: func(ctx context.Context, l *bridge.Link) (transport.CapableConn, error) {
			h := c.host.Load()
			if h == nil {
				return nil, ErrOffline
			}
			p, err := c.book.Open(l.ID)
			if err != nil {
				return nil, err
			}
			return host.NewConnection(ctx, *h, p)
		},
	})
	return c.SetBridges(c.cfg.Bridges, c.cfg.OnlyBridges)
}

// surroundings are what the passage of a client knows of the network that it is in. They
// implement bridge.Network.
type surroundings struct{ c *Client }

func (s surroundings) Led(way NodeID)                         { s.c.passage.led(way) }
func (s surroundings) Place(way NodeID) int                   { return s.c.passage.Place(way) }
func (s surroundings) Budget(bridge NodeID) int64             { return s.c.passage.Budget(bridge) }
func (s surroundings) Wait(bridge NodeID) time.Duration       { return s.c.passage.Wait(bridge) }
func (s surroundings) Began(bridge NodeID, at []book.Address) { s.c.passage.Began(bridge, at) }
func (s surroundings) Ended(bridge NodeID, err error)         { s.c.passage.bridgeEnded(bridge, err) }

// SetBridges replaces the bridges by those of some links. Relays are reached over them:
// only so if only is set, and else where they are not reached themselves. A link that
// cannot be used is an error, and then nothing changes.
func (c *Client) SetBridges(links []string, only bool) error {
	var all []*bridge.Link
	for _, text := range links {
		l, err := bridge.Parse(text)
		if err == nil {
			l, err = l.Usable(c.cfg.AllowPrivate)
		}
		if err != nil {
			return fmt.Errorf("bridge: %w", err)
		}
		all = append(all, l)
	}
	if len(all) > bridge.MaxBridges {
		return fmt.Errorf("bridge: at most %d", bridge.MaxBridges)
	}

	for _, s := range c.ways.Status() {
		c.book.Forget(s.Link.ID, book.Owner)
		c.doors.remove(s.Link.ID)
	}
	for _, l := range all {
		h := directory.Hint{ID: l.ID}
		for _, a := range l.Dialled() {
			h.Addresses = append(h.Addresses, directory.FromBook(a))
		}
		c.book.Name(l.ID, book.Owner, l.Dialled()...)
		c.doors.add(h, book.Owner) // it hands out the list of relays, too
	}
	c.ways.Set(all, only)
	pace.Kick(c.lonely)
	pace.Kick(c.wake)
	return nil
}

// bridgeChanged notes that a bridge came up or went. With one there may be a way to
// guards that there was none to.
func bridgeChanged(c *Client, up bool) {
	if up && !c.ways.Only() && len(c.guardsUp()) == 0 {
		c.tryGuards()
	}
	pace.Kick(c.wake)
	pace.Kick(c.lonely)
	pace.Kick(c.changed)
}

// Listed returns where a relay of the directory is.
func (c *Client) Listed(id NodeID) []book.Address {
	d, ok := c.dir.Find(id)
	if !ok || d.Leaving() {
		return nil
	}
	return directory.ForBook(d.Addresses)
}

// Directory is the list of relays that is believed in, for those who hand it on.
func (c *Client) Directory() *directory.Directory { return c.dir }
