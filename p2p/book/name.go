package book

import (
	"slices"
	"strings"
)

const maxHost = 63 // bytes of a host name, so many as a descriptor and a link have room for

// nowhere are the last labels of names that no web site has.
var nowhere = []string{"alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test"}

// HostName reports whether a browser could say a name to a web server: at most 63 bytes, two
// labels or more of small letters, digits and inner hyphens, the last of which begins with a
// letter, so that it is no address. Names of other scripts are in the form xn--….
func HostName(s string) bool {
	labels := strings.Split(s, ".")
	last := labels[len(labels)-1]
	if len(s) > maxHost || len(labels) < 2 || slices.Contains(nowhere, last) || last == "" || last[0] < 'a' {
		return false
	}
	return !slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.ContainsFunc(l, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' })
	})
}
