// Package secret keeps keys out of texts. A struct that embeds [Hidden] shows
// "[secret]" to fmt with every verb, and to slog; so a key cannot get into a message
// or a log by accident.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const shown = "[secret]"

// Hidden has the methods that fmt and slog ask for. It takes no room where it is the
// first field.
type Hidden struct{}

// String returns "[secret]".
func (Hidden) String() string { return shown }

// Format writes "[secret]", for any verb.
func (Hidden) Format(f fmt.State, _ rune) { io.WriteString(f, shown) }

// LogValue is "[secret]".
func (Hidden) LogValue() slog.Value { return slog.StringValue(shown) }
