package client

import (
	"fmt"

	"starling/p2p/pace"
	"starling/p2p/proxy"
)

// ProxyStatus is the state of the proxy.
type ProxyStatus struct {
	Proxy string // without user name and password; empty: none
	// Fault says how it failed the last time, if it did.
	Fault proxy.Kind
}

// SetProxy leads all connections over a proxy from now on, or over none with an empty
// text. Those there are end.
func (c *Client) SetProxy(text string) error {
	var p *proxy.Proxy
	if text != "" {
		var err error
		if p, err = proxy.Parse(text); err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
		if c.cfg.LAN {
			return fmt.Errorf("proxy: %w", ErrProxyLAN)
		}
	}
	c.line.Use(p)
	if c.host.Load() != nil {
		c.tryGuards()
		pace.Kick(c.lonely)
	}
	return nil
}

// proxied returns the state of the proxy of a client.
func proxied(c *Client) (s ProxyStatus) {
	p, fault := c.line.Proxy()
	if p == nil {
		return s
	}
	s.Proxy = p.String()
	if fault != nil {
		s.Fault = fault.Kind
	}
	return s
}

// mayAskLAN reports whether the local network may be asked for relays: not beside a proxy,
// and not beside bridges where these alone are dialled.
func mayAskLAN(c *Client) bool {
	p, _ := c.line.Proxy()
	return p == nil && !c.ways.Only()
}
