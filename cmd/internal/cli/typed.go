package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"starling/node/api"
	"starling/node/api/safetext"
)

// decode returns the text in bytes from a file, a pipe or a terminal; what names it in
// an error.
func decode(b []byte, what string) (string, error) {
	text, err := safetext.Decode(b)
	if err != nil {
		return "", &api.Error{Code: api.CodeBadText, Message: what + " is not UTF-8 text", Hint: "convert it first"}
	}
	return text, nil
}

// mostBytes is how many bytes a text of so many, and one more, may take: UTF-16 has two
// for a letter, and a mark before the first.
func mostBytes(text int64) int64 { return 2*text + 6 }

var errLongLine = errors.New("the first line is too long")

// firstLine reads a line, and not what follows it, which may never come. A file of
// UTF-16 is read to its end.
func firstLine(r io.Reader, most int64) ([]byte, error) {
	in := bufio.NewReader(io.LimitReader(r, mostBytes(most)))
	mark, _ := in.Peek(2)
	if wide := string(mark); wide == "\xff\xfe" || wide == "\xfe\xff" {
		all, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		end := wideLine(all)
		if int64(end) > 2*most {
			return nil, errLongLine
		}
		return all[:end], nil
	}

	line, err := in.ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	if int64(len(line)) > most {
		return nil, errLongLine
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// wideLine returns where the first line of UTF-16 ends.
func wideLine(b []byte) int {
	for i := 2; i+1 < len(b); i += 2 {
		if hi, lo := min(b[i], b[i+1]), max(b[i], b[i+1]); hi == 0 && (lo == '\n' || lo == '\r') {
			return i
		}
	}
	return len(b)
}
