package host

import (
	"io"
	"log/slog"
	"sync"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
)

// quiet turns off the output of libraries to standard error: they name peers and
// addresses, and a terminal application owns the screen. Important events are reported
// through our own logger.
var quiet = sync.OnceFunc(func() {
	gologshim.SetDefaultHandler(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 8}))
	golog.SetupLogging(golog.Config{Level: golog.LevelFatal, Format: golog.ColorizedOutput})
})
