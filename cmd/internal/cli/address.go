package cli

import (
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/node"
	"starling/node/api"
	"starling/node/relay"
)

// checkListen refuses texts that are no address to listen on.
func checkListen(addrs []string) error {
	for _, s := range addrs {
		if _, err := ma.NewMultiaddr(s); err != nil {
			return badAddress("--listen", s, "for example: --listen /ip4/0.0.0.0/tcp/4001")
		}
	}
	return nil
}

// checkAnnounce refuses addresses at which others cannot reach a relay, or a bridge.
func checkAnnounce(addrs []string, allowPrivate, bridge bool) error {
	for _, s := range addrs {
		if _, err := ma.NewMultiaddr(s); err != nil {
			return badAddress("--announce", s, "for example: --announce /ip4/192.0.2.7/tcp/4001")
		}
		if err := relay.CheckAnnounced(s, allowPrivate, bridge); err != nil {
			return err
		}
	}
	return nil
}

// check refuses texts that cannot be the address of a relay to start from.
func (n network) check() error {
	if n.proxy != "" && n.lan {
		return usage("leave one of them out", "--lan asks the local network beside the proxy")
	}
	if err := node.CheckProxy(n.proxy); err != nil {
		return err
	}

	const example = "for example: --bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3…, as the relay printed it"
	for _, s := range n.bootstrap {
		addr, err := ma.NewMultiaddr(s)
		if err != nil {
			return badAddress("--bootstrap", s, example)
		}
		if _, err := addr.ValueForProtocol(ma.P_P2P); err != nil {
			return &api.Error{Code: api.CodeUsage, Message: "--bootstrap " + own(s).String() + " does not end in /p2p/ and the relay's peer id", Hint: example}
		}
		if err := relay.CheckBootstrap(s); err != nil {
			return &api.Error{Code: api.CodeUsage, Message: "--bootstrap " + own(s).String() + " has no IP address and TCP port at which a relay is dialled", Hint: example}
		}
		if !n.allowPrivate && !manet.IsPublicAddr(addr) {
			return &api.Error{Code: api.CodeUsage, Message: "--bootstrap " + own(s).String() + " is a private address", Hint: "for a mesh of your own add --allow-private"}
		}
	}
	return nil
}

func badAddress(flag, s, example string) error {
	return &api.Error{Code: api.CodeUsage, Message: flag + " " + own(s).String() + " is not a multiaddr", Hint: example}
}
