package node

import (
	"errors"

	"starling/node/api"
	"starling/p2p/client"
	"starling/p2p/proxy"
)

// CheckProxy refuses a text that names no proxy; none is one.
func CheckProxy(text string) error {
	if text == "" {
		return nil
	}
	_, err := proxy.Parse(text)
	return proxyError(err)
}

// proxyError puts an error about a proxy into words, and leaves others alone: nil.
func proxyError(err error) error {
	hint := ""
	switch {
	case errors.Is(err, proxy.ErrScheme):
		hint = "for a Tor on this machine: socks5://127.0.0.1:9050; off for none"
	case errors.Is(err, proxy.ErrName):
		hint = "look its address up elsewhere and give that: socks5://192.0.2.7:1080"
	case errors.Is(err, proxy.ErrLogin):
		hint = "socks5://USER:PASSWORD@127.0.0.1:1080"
	case errors.Is(err, client.ErrProxyLAN):
		hint = "start without --lan, or without the proxy"
	default:
		return nil
	}
	return &api.Error{Code: api.CodeUsage, Message: err.Error(), Hint: hint}
}

// useProxy leads all connections over the proxy of the settings, unless the start gave
// another.
func useProxy(n *Node, text string) error {
	if n.cfg.Proxy != "" {
		return nil
	}
	err := n.net.n.SetProxy(text)
	if told := proxyError(err); told != nil {
		return told
	}
	return apiError(err)
}
