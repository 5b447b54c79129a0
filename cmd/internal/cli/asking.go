package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"starling/node/api"
)

// The words of a person or of another program may never come. So nothing here is read
// or opened without an ear for the signal that ends the command.

// await does something that may block for ever, until ctx ends. It is then left to
// itself, because the program ends.
func await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// readFile reads at most limit bytes of a file, a pipe or a device.
func readFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	return await(ctx, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, limit))
	})
}

// readInput reads at most limit bytes of standard input.
func (c *console) readInput(ctx context.Context, limit int64) ([]byte, error) {
	return await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(c.in, limit)) })
}

// readLine reads a line of standard input, and takes nothing of the rest.
func (c *console) readLine(ctx context.Context) (string, error) {
	return await(ctx, func() (string, error) { return readLine(c.in) })
}

// readLine reads a line byte by byte and takes nothing of the rest.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) <= api.MaxName+1; {
		n, err := r.Read(b)
		if n == 1 {
			if b[0] == '\n' {
				break
			}
			line = append(line, b[0])
		}
		if err != nil {
			if err == io.EOF && len(line) > 0 {
				break
			}
			return "", fmt.Errorf("read name: %w", err)
		}
	}
	return strings.TrimSpace(string(line)), nil
}

// maxPassphrase bounds the passphrase that is read, in bytes.
const maxPassphrase = 4 << 10

// passphrase comes from --passphrase-file, $STARLING_PASSPHRASE or a prompt,
// in this order, and never from the command line.
func (c *console) passphrase(ctx context.Context, question string) (string, error) {
	if c.passphraseFile != "" {
		return readPassphrase(ctx, "--passphrase-file", c.passphraseFile)
	}
	if p := c.getenv("STARLING_PASSPHRASE"); p != "" {
		return p, nil
	}
	if !c.inTTY {
		return "", &api.Error{
			Code:    api.CodeWrongPassphrase,
			Message: "no passphrase was given",
			Hint:    "use --passphrase-file FILE or $STARLING_PASSPHRASE, or run this in a terminal to be asked",
		}
	}
	return c.prompt(ctx, question)
}

// newPassphrase is [console.passphrase] for a new profile: a prompt asks twice.
func (c *console) newPassphrase(ctx context.Context) (string, error) {
	p, err := c.passphrase(ctx, "New passphrase: ")
	if err != nil {
		return "", err
	}
	if p == "" {
		return "", emptyPassphrase
	}
	if c.passphraseFile == "" && c.getenv("STARLING_PASSPHRASE") == "" {
		return p, c.promptAgain(ctx, p)
	}
	return p, nil
}

var emptyPassphrase = &api.Error{Code: api.CodeUsage, Message: "the passphrase is empty", Hint: "choose one: it encrypts everything in the profile"}

// promptTwice asks for a new secret, and once more.
func (c *console) promptTwice(ctx context.Context, question string) (string, error) {
	p, err := c.prompt(ctx, question)
	if err != nil || p == "" {
		return p, err
	}
	return p, c.promptAgain(ctx, p)
}

// promptAgain asks for a new secret once more.
func (c *console) promptAgain(ctx context.Context, p string) error {
	again, err := c.prompt(ctx, "The same again: ")
	if err == nil && again != p {
		err = &api.Error{Code: api.CodeUsage, Message: "the two passphrases differ", Hint: "run the command again"}
	}
	return err
}

func readPassphrase(ctx context.Context, flag, file string) (string, error) {
	line, err := await(ctx, func() ([]byte, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return firstLine(f, maxPassphrase)
	})
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, errLongLine):
		return "", &api.Error{Code: api.CodeUsage, Message: "the passphrase file's first line is longer than 4 KiB", Hint: "check the path given to " + flag}
	case err != nil:
		return "", &api.Error{Code: api.CodeUsage, Message: "passphrase file: " + err.Error(), Hint: "check the path given to " + flag}
	}
	return decode(line, "the passphrase file")
}

// promptTerminal asks on standard error and reads without echo. The echo comes back at
// any end.
func (c *console) promptTerminal(ctx context.Context, question string) (string, error) {
	fmt.Fprint(c.err, question)
	defer fmt.Fprintln(c.err)
	terminal := int(os.Stdin.Fd())
	if before, err := term.GetState(terminal); err == nil {
		defer term.Restore(terminal, before)
	}
	p, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	return decode(p, "the passphrase")
}
