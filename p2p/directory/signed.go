package directory

import (
	"net/netip"

	"starling/p2p/clock"
)

// Signed returns when relays signed their descriptors and will sign again, by which a
// time is judged (package clock): of one relay in each /16 or /32, or of all.
func Signed(relays []*Descriptor, all bool) (signed []clock.Signed) {
	seen := map[netip.Prefix]bool{}
	for _, d := range relays {
		wide := widesOf(d)[0]
		if seen[wide] && !all {
			continue
		}
		seen[wide] = true
		// After half of its life at the latest it issues the next.
		signed = append(signed, clock.Signed{Issued: d.Issued, Next: d.Issued.Add(d.Expires.Sub(d.Issued) / 2)})
	}
	return signed
}
