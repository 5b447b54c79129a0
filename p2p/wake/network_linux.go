package wake

import (
	"encoding/hex"
	"net"
	"os"
	"slices"
	"strings"
)

// gateways names the routers of this computer by address and, where the system has
// talked to them, by hardware.
func gateways() string {
	routes, _ := os.ReadFile("/proc/net/route")
	neighbours, _ := os.ReadFile("/proc/net/arp")
	return routersOf(string(routes), string(neighbours))
}

// routersOf reads the tables of the kernel.
func routersOf(routes, neighbours string) string {
	hardware := map[string]string{}
	for line := range strings.Lines(neighbours) {
		if f := strings.Fields(line); len(f) >= 6 {
			hardware[f[0]+" "+f[5]] = f[3]
		}
	}

	var all []string
	for line := range strings.Lines(routes) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		ip, err := hex.DecodeString(f[2])
		if err != nil || len(ip) != net.IPv4len {
			continue
		}
		slices.Reverse(ip)
		at := net.IP(ip).String()
		all = append(all, strings.TrimSpace(at+" "+hardware[at+" "+f[0]]))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "\n")
}
