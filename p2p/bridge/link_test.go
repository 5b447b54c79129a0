package bridge

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"starling/p2p/book"
	"starling/p2p/wire"
)

func example() *Link {
	return &Link{
		ID: wire.NodeID{1, 2, 3},
		Addresses: []book.Address{
			book.Web(netip.MustParseAddrPort("20.1.2.3:443")), book.Web(netip.MustParseAddrPort("[2a00::7]:8443")),
		},
		Onions: []Onion{{Key: [32]byte{9, 9}, Port: 443}},
		Host:   "example.org",
		others: []way{{77, []byte("a transport of others")}},
	}
}

// TestLink: a link survives what people and their programs do to it, and says what is
// wrong with one that does not.
func TestLink(t *testing.T) {
	l := example()
	text := l.String()
	wrap := func(n int, with string) string {
		var out strings.Builder
		for i := 0; i < len(text); i += n {
			out.WriteString(text[i:min(i+n, len(text))] + with)
		}
		return out.String()
	}

	for name, in := range map[string]string{
		"as it is":      text,
		"upper case":    strings.ToUpper(text),
		"wrapped":       wrap(40, "\n"),
		"windows":       wrap(64, "\r\n"),
		"quoted":        "> take this\n> " + wrap(60, "\n> "),
		"with words":    "Here is a door: " + text + "\nSee you, Bob",
		"after prefix":  strings.ToUpper(Prefix) + " \n " + text[len(Prefix):],
		"in a sentence": "(" + text + ").",
	} {
		got, err := Read(in)
		if err != nil || got.String() != text {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if rest := Cut(in); strings.Contains(strings.ToLower(rest), strings.TrimSuffix(Prefix, ":")) {
			t.Errorf("%s: %q is left", name, rest)
		}
	}

	for name, tt := range map[string]struct {
		in   string
		want error
	}{
		"nothing":   {"", ErrForeign},
		"an invite": {"starling:aebagbaf", ErrForeign},
		"too long":  {Prefix + strings.Repeat("a", MaxText), ErrChecksum},
		"no body":   {Prefix, ErrTruncated},
		"cut":       {text[:len(text)-9], ErrTruncated},
		"cut early": {text[:40], ErrTruncated},
		"cut late":  {text[:len(text)-1], ErrTruncated},
		"typed":     {strings.Replace(text, text[60:62], "zz", 1), ErrChecksum},
		"no letter": {text[:30] + "1" + text[31:], ErrChecksum},
	} {
		if _, err := Read(tt.in); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// sealed returns the text of bytes with a right checksum.
func sealedText(b []byte) string {
	return Prefix + encoding.EncodeToString(append(b, checksum(b)...))
}

// TestLinkLies lies in each field of a link.
func TestLinkLies(t *testing.T) {
	head := func(version, network, ways byte) []byte {
		id := example().ID
		return append(append([]byte{version, network}, id[:]...), ways)
	}
	four := []byte{1, 6, 20, 1, 2, 3, 1, 187}
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"version":           {append(head(2, 2, 1), four...), ErrVersion},
		"network":           {append(head(1, 3, 1), four...), ErrNetwork},
		"no way":            {head(1, 2, 0), ErrChecksum},
		"nine ways":         {append(head(1, 2, 9), four...), ErrChecksum},
		"fewer than said":   {append(head(1, 2, 2), four...), ErrTruncated},
		"more than said":    {append(append(head(1, 2, 1), four...), four...), ErrChecksum},
		"twice":             {append(append(head(1, 2, 2), four...), four...), ErrChecksum},
		"port 0":            {append(head(1, 2, 1), 1, 6, 20, 1, 2, 3, 0, 0), ErrChecksum},
		"everywhere":        {append(head(1, 2, 1), 1, 6, 0, 0, 0, 0, 1, 187), ErrChecksum},
		"multicast":         {append(head(1, 2, 1), 1, 6, 224, 0, 0, 1, 1, 187), ErrChecksum},
		"short address":     {append(head(1, 2, 1), 1, 5, 20, 1, 2, 3, 1), ErrChecksum},
		"4 in 6":            {append(append(append(head(1, 2, 1), 2, 18), make([]byte, 10)...), 255, 255, 20, 1, 2, 3, 1, 187), ErrChecksum},
		"long value":        {append(append(head(1, 2, 1), 9, 65), make([]byte, 65)...), ErrChecksum},
		"value beyond":      {append(head(1, 2, 1), 9, 60, 1, 2), ErrTruncated},
		"onion of one byte": {append(head(1, 2, 1), 3, 1, 7), ErrChecksum},
		"only others":       {append(head(1, 2, 1), 9, 1, 7), ErrNoWay},
		"only a name":       {append(append(head(1, 2, 1), 4, 11), "example.org"...), ErrNoWay},
		"two names":         {append(append(append(append(append(head(1, 2, 3), four...), 4, 11), "example.org"...), 4, 3), "a.b"...), ErrChecksum},
		"an address for it": {append(append(append(head(1, 2, 2), four...), 4, 9), "192.0.2.1"...), ErrChecksum},
		"no name":           {append(append(append(head(1, 2, 2), four...), 4, 9), "localhost"...), ErrChecksum},
		"an empty name":     {append(append(head(1, 2, 2), four...), 4, 0), ErrChecksum},
		"words in it":       {append(append(append(head(1, 2, 2), four...), 4, 11), "a.org\r\nX: y"...), ErrChecksum},
	} {
		if _, err := Parse(sealedText(tt.b)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}

	private := Link{ID: example().ID, Addresses: []book.Address{book.Web(netip.MustParseAddrPort("192.168.1.7:443"))}}
	l, err := Parse(private.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Usable(false); !errors.Is(err, ErrPrivate) {
		t.Errorf("a private address: %v", err)
	}
	if _, err := l.Usable(true); err != nil {
		t.Errorf("a private address with leave: %v", err)
	}
}

// TestOnion: the name of an onion service is that of Tor's specification (rend-spec-v3).
func TestOnion(t *testing.T) {
	const known = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion:443"
	o, err := ParseOnion(known)
	if err != nil || o.String() != known {
		t.Fatalf("%v, %v", o, err)
	}
	for _, bad := range []string{"", "a.onion:443", strings.Replace(known, "pg6", "pg7", 1), strings.TrimSuffix(known, "443") + "0", strings.TrimSuffix(known, ":443")} {
		if _, err := ParseOnion(bad); err == nil {
			t.Errorf("%q is an onion", bad)
		}
	}
}

func FuzzLink(f *testing.F) {
	f.Add(example().String())
	f.Add("> see " + strings.ToUpper(example().String()) + " there")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text)
		if err == nil {
			again, err := Parse(l.String())
			if err != nil || again.String() != l.String() {
				t.Fatalf("%q: %v", text, err)
			}
		}
		Find(text)
		Cut(text)
		ParseOnion(text)
		parseBytes([]byte(text))
		if _, err := Read(text); err == nil && len(Find(text)) == 0 {
			t.Fatal("read, and not found")
		}
	})
}
