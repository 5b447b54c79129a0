//go:build !unix

package web

import "errors"

func pipe(string) error { return errors.ErrUnsupported }
