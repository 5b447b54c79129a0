package link

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPlain(t *testing.T) {
	for _, s := range []string{
		"https://example.org", "http://example.org/a/b?c=d&e=%20f#g", "https://example.org:8443/", "https://Example.org/A",
		"https://a-b.example/~x/;y=(z)", "https://a.example/100%", "https://xyz_1.example/",
	} {
		l, err := Parse(s)
		if err != nil || !l.Plain() || l.Target != s {
			t.Errorf("%s: %+v, %v", s, l, err)
		}
	}
}

func TestDeceitIsFound(t *testing.T) {
	for s, want := range map[string]struct {
		host     string
		findings []Finding
	}{
		"https://paypal.com@evil.example/login":      {"evil.example", []Finding{UserInfo}},
		"https://paypal.com:x@evil.example:81":       {"evil.example:81", []Finding{UserInfo}},
		"https://a@b@evil.example":                   {"evil.example", []Finding{UserInfo}},
		"https://paypal.com%2Flogin@evil.example":    {"evil.example", []Finding{UserInfo}},
		"https://\u0430pple.com/":                    {"xn--pple-43d.com", []Finding{Letters, Mixed}},
		"https://xn--pple-43d.com/":                  {"xn--pple-43d.com", []Finding{Letters, Mixed}},
		"https://\u0430\u0440\u0440\u04cf\u0435.com": {"xn--80ak6aa92e.com", []Finding{Letters}},
		"https://b\u00fccher.example":                {"xn--bcher-kva.example", []Finding{Letters}},
		"https://\uff45xample.org":                   {"example.org", []Finding{Letters}},
		"https://example\u3002org":                   {"example.org", []Finding{Letters}},
		"https://%65vil.example":                     {"evil.example", []Finding{Encoded}},
		"http://2130706433/":                         {"127.0.0.1", []Finding{Digits, Local}},
		"http://0x7f.1/":                             {"127.0.0.1", []Finding{Digits, Local}},
		"http://0177.0.0.1/":                         {"127.0.0.1", []Finding{Digits, Local}},
		"http://[::ffff:192.168.1.1]:80/":            {"[::ffff:192.168.1.1]:80", []Finding{Digits, Local}},
		"http://203.0.113.9":                         {"203.0.113.9", []Finding{Digits}},
		"http://localhost:8080/x":                    {"localhost:8080", []Finding{Local}},
		"http://router/":                             {"router", []Finding{Local}},
		"https://a.example/%E2%80%AEgpj.exe":         {"a.example", []Finding{Invisible, Backwards}},
		"https://a.example/%0d%0aSet-Cookie:":        {"a.example", []Finding{Invisible}},
		"https://a.example/\u05d0":                   {"a.example", []Finding{Foreign, Backwards}},
		"https://ru.example/wiki/\u0417":             {"ru.example", []Finding{Foreign}},
	} {
		l, err := Parse(s)
		if err != nil || l.Host != want.host || !slices.Equal(l.Findings, want.findings) || l.Plain() {
			t.Errorf("%s: %+v, %v", s, l, err)
		}
		if !strings.Contains(l.Target, l.Host) || strings.ContainsFunc(l.Target, func(r rune) bool { return r >= utf8.RuneSelf }) {
			t.Errorf("%s is opened as %s", s, l.Target)
		}
	}
}

func TestWhatIsNoAddress(t *testing.T) {
	for s, want := range map[string]error{
		"": ErrScheme, "example.org": ErrScheme, "javascript://x": ErrScheme, "file:///etc/passwd": ErrScheme, "mailto:a@b": ErrScheme, "starling:x": ErrScheme,
		"https://": ErrHost, "https:///x": ErrHost, "https://a.example\\@b.example": ErrHost, "https://a b": ErrHost, "https://a.example:0": ErrHost,
		"https://a.example:80x": ErrHost, "https://a.example:99999": ErrHost, "https://1.2.3.4.5": ErrHost, "https://256.1.1.1": ErrHost, "https://[::1": ErrHost,
		"https://[fe80::1%25eth0]": ErrHost, "https://a..b": ErrHost, "https://a.example%00.b": ErrHost, "https://-a.example": ErrHost, "https://a\u200b.example\x00": ErrHost,
		"https://\uff11.\uff12.\uff13.\uff14": nil, "https://a.example/" + strings.Repeat("a", MaxTarget): ErrLong, "https://a.example/" + strings.Repeat("ы", MaxTarget/3): ErrLong,
	} {
		if want == nil {
			want = ErrHost
		}
		if l, err := Parse(s); !errors.Is(err, want) {
			t.Errorf("%q: %+v, %v", s, l, err)
		}
	}
}

func TestFind(t *testing.T) {
	for s, want := range map[string]string{
		"https://a.example.": "https://a.example", "https://a.example/x)": "https://a.example/x", "HTTPS://a.example b": "HTTPS://a.example",
		"http://a\"b": "http://a", "https://": "", "https://.": "", "starling:abc": "starling:abc", "ftp://x": "", "": "",
	} {
		if got := s[:Find(s)]; got != want {
			t.Errorf("%q: %q", s, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"https://a@b:1/c?d#e", "http://0x7f.1", "https://xn--pple-43d.com", "https://%65\u0430.example/%E2%80%AE", "http://[::1]:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := Parse(s)
		if err != nil {
			return
		}
		if strings.ContainsFunc(l.Target, func(r rune) bool { return r <= ' ' || r > '~' }) || len(l.Target) > MaxTarget {
			t.Fatalf("%q is opened as %q", s, l.Target)
		}
		if l.Plain() && l.Target != s {
			t.Fatalf("%q is called plain and opened as %q", s, l.Target)
		}
		again, err := Parse(l.Target)
		if err != nil || again.Host != l.Host {
			t.Fatalf("%q leads to %q, and as %q to %q: %v", s, l.Host, l.Target, again.Host, err)
		}
	})
}
