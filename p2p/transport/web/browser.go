package web

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"slices"
	"strings"

	utls "github.com/refraction-networking/utls"
)

// The recordings: the first TLS record of a WebSocket of each browser, and its request.
// go test -run TestRecordings -record writes them anew.
//
//go:embed browsers
var recordings embed.FS

// A Browser is one that a client can pass for.
type Browser struct {
	name string
	// shuffles: it puts the extensions of its hello in a new order every time.
	shuffles bool
}

// Browsers. The network decides which of them passes.
var (
	Chromium = Browser{"chromium", true}
	Firefox  = Browser{"firefox", false}
)

// Browsers returns all of them.
func Browsers() []Browser { return []Browser{Chromium, Firefox} }

// AnyBrowser draws one, the more common more often.
func AnyBrowser() Browser {
	if rand.IntN(8) == 0 {
		return Firefox
	}
	return Chromium
}

func (b Browser) String() string { return b.name }

func (b Browser) recorded(what string) []byte {
	data, err := fs.ReadFile(recordings, "browsers/"+b.name+"."+what)
	if err != nil {
		panic(err) // it is in the program
	}
	return data
}

// spec returns the hello of a new connection, with a host name unless it is empty. The
// recordings are of addresses, which browsers do not name.
func (b Browser) spec(site string) (*utls.ClientHelloSpec, error) {
	// Blunt mimicry: extensions that utls does not know travel as recorded.
	f := utls.Fingerprinter{AllowBluntMimicry: true}
	spec, err := f.RawClientHello(b.recorded("hello"))
	if err != nil {
		return nil, fmt.Errorf("web: hello of %s: %w", b, err)
	}
	if site != "" {
		at := 0
		if b.shuffles {
			at = 1 // behind GREASE, which stays
		}
		spec.Extensions = slices.Insert(spec.Extensions, at, utls.TLSExtension(&utls.SNIExtension{ServerName: site}))
	}
	if b.shuffles {
		spec.Extensions = utls.ShuffleChromeTLSExtensions(spec.Extensions)
	}
	return spec, nil
}

// client returns the client's end of TLS, before the handshake.
func (b Browser) client(c net.Conn, site string) (*utls.UConn, error) {
	spec, err := b.spec(site)
	if err != nil {
		return nil, err
	}
	u := utls.UClient(c, &utls.Config{
		ServerName:                  site,
		InsecureSkipVerify:          true, // Noise has proof of the key
		MinVersion:                  utls.VersionTLS13,
		DynamicRecordSizingDisabled: true, // browsers have full records from the start
	}, utls.HelloCustom)
	if err := u.ApplyPreset(spec); err != nil {
		return nil, fmt.Errorf("web: hello of %s: %w", b, err)
	}
	return u, nil
}

// request returns the request of a WebSocket, in the words and the order of the browser.
func (b Browser) request(at, target string, key [16]byte) []byte {
	host := strings.TrimSuffix(at, ":443")

	var out bytes.Buffer
	for i, line := range strings.Split(strings.TrimSuffix(string(b.recorded("request")), "\r\n\r\n"), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case i == 0:
			line = "GET " + target + " HTTP/1.1"
		case name == "Host":
			line = name + ": " + host
		case name == "Origin":
			line = name + ": https://" + host
		case name == "Sec-WebSocket-Key":
			line = name + ": " + base64.StdEncoding.EncodeToString(key[:])
		case name == "User-Agent":
			line = name + ": " + strings.Replace(value, "HeadlessChrome", "Chrome", 1)
		}
		out.WriteString(line + "\r\n")
	}

	out.WriteString("\r\n")
	return out.Bytes()
}
