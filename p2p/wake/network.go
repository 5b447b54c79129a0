package wake

import (
	"net"
	"slices"
	"strings"
)

// Place names the network that this computer is in, by what the system knows of it:
// nobody is asked. Empty is none. The name is the same whenever the computer is back.
func Place() string {
	if gateway := gateways(); gateway != "" {
		return gateway
	}

	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	var nets []string
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				nets = append(nets, i.Name+" "+(&net.IPNet{IP: n.IP.Mask(n.Mask), Mask: n.Mask}).String())
			}
		}
	}
	slices.Sort(nets)
	return strings.Join(slices.Compact(nets), "\n")
}
