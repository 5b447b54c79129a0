package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"

	"starling/p2p/wire"
)

const (
	pathLabel = "starling/web/1\x00"
	pathBytes = 16
	day       = 24 * time.Hour
)

// Path returns the path at which a relay takes links on a day: the first 16 bytes of
// HMAC-SHA256(node id, "starling/web/1" ‖ 0 ‖ days since 1970, 4 bytes) in URL-safe base64.
func Path(relay wire.NodeID, at time.Time) string {
	h := hmac.New(sha256.New, relay[:])
	h.Write([]byte(pathLabel))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(at.Unix()/int64(day/time.Second))))
	return "/" + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:pathBytes])
}

// leads reports whether a path is the relay's of today, of yesterday or of tomorrow.
func leads(path string, relay wire.NodeID, now time.Time) bool {
	found := 0
	for _, d := range []time.Duration{0, -day, day} {
		found |= subtle.ConstantTimeCompare([]byte(path), []byte(Path(relay, now.Add(d))))
	}
	return found == 1
}
