package tui

import (
	"context"
	"errors"
	"io"

	"starling/node/api"
)

// RunPlain is the linear mode.
func RunPlain(ctx context.Context, node api.Node, in io.Reader, out io.Writer) error {
	return errors.New("the linear mode is not there yet")
}
