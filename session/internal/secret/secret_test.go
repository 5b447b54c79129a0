package secret

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unsafe"
)

type key struct {
	Hidden
	bytes [8]byte
}

func TestHidden(t *testing.T) {
	k := key{bytes: [8]byte{0xab, 0xcd}}
	for _, v := range []any{k, &k, []key{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(strings.ToLower(s), "ab") || strings.Contains(s, "171") || !strings.Contains(s, "[secret]") {
				t.Errorf("%s shows %s", verb, s)
			}
		}
	}

	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "pointer", &k)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k, "pointer", &k)
	if strings.Count(log.String(), "[secret]") != 4 {
		t.Error(log.String())
	}

	if unsafe.Sizeof(k) != 8 {
		t.Errorf("a key has %d bytes", unsafe.Sizeof(k))
	}
}
