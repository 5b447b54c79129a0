package book

import (
	"strings"
	"testing"
)

// TestHostNames: what no browser would say as the name of a web site is none.
func TestHostNames(t *testing.T) {
	for name, good := range map[string]bool{
		"example.org": true, "a.b": true, "xn--bcher-kva.example": true, "1.example.org": true, "a--b.example.org": true, "127.0.0.1.example.org": true,
		strings.Repeat("a", 59) + ".org": true,

		"": false, ".": false, "org": false, "localhost": false, "a.localhost": false, "printer.local": false, "abc.onion": false, "a.test": false, "4.3.2.1.in-addr.arpa": false,
		"192.0.2.1": false, "2001:db8::1": false, "1.2": false, "example.0x10": false, "a.b.1c": false,
		"Example.org": false, "*.example.org": false, "-a.example.org": false, "a-.example.org": false, "a..example.org": false, ".example.org": false, "example.org.": false, "example.-org": false,
		"a b.example.org": false, "a_b.example.org": false, "bücher.example": false, "example.org:443": false, "user@example.org": false, "example.org/": false,
		"example.org\x00": false, "exa\r\nHost: x.org": false, strings.Repeat("a", 60) + ".org": false,
	} {
		if HostName(name) != good {
			t.Errorf("%.70q: %v", name, !good)
		}
	}
}
