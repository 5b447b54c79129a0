package settings

import (
	"errors"
	"testing"
)

const id = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

func TestParse(t *testing.T) {
	public, private := "/ip4/20.1.2.3/tcp/4001/p2p/"+id, "/ip4/127.0.0.1/tcp/4001/p2p/"+id
	for name, tt := range map[string]struct {
		text Text
		ok   bool
	}{
		"nothing":           {Text{}, true},
		"all":               {Text{Bootstrap: []string{public, private}, Source: "127.0.0.1", AllowPrivate: true, LAN: true}, true},
		"public":            {Text{Bootstrap: []string{public}}, true},
		"private":           {Text{Bootstrap: []string{private}}, false},
		"without an id":     {Text{Bootstrap: []string{"/ip4/20.1.2.3/tcp/4001"}}, false},
		"LAN without leave": {Text{LAN: true}, false},
		"source by name":    {Text{Source: "localhost"}, false},
	} {
		n, err := tt.text.Parse()
		if (err == nil) != tt.ok || err == nil && (len(n.Bootstrap) != len(tt.text.Bootstrap) || n.Source.IsValid() != (tt.text.Source != "")) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
}

// TestLANTakesPrivateAddresses: an owner that refuses private addresses is not on the
// local network.
func TestLANTakesPrivateAddresses(t *testing.T) {
	if _, err := (Text{LAN: true}).Parse(); !errors.Is(err, ErrLAN) {
		t.Errorf("LAN: %v", err)
	}
}
