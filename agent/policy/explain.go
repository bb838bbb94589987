package policy

import (
	"bufio"
	"fmt"
	"io"

	"aval/agent/consent"
)

// MaxLine is the longest line that Explain decodes, in bytes without its line
// feed; a longer one is answered with bad-input.
const MaxLine = 1 << 20

// Explain reads one Input a line and writes one Decision a line, in order. A
// line that is no Input (an empty or an over-long one too) is answered with
// bad-input, and the next one is read. A last line without a line feed counts.
// Answers are written at once whenever no further input is waiting. The error
// is that of r or w.
func Explain(r io.Reader, w io.Writer) error {
	in := bufio.NewReaderSize(r, 64<<10)
	out := bufio.NewWriter(w)
	var line []byte
	for {
		var long bool
		var err error
		line, long, err = readLine(in, line[:0])
		if err != nil && err != io.EOF {
			return fmt.Errorf("read input: %w", joinFlush(err, out))
		}
		if err == io.EOF && len(line) == 0 && !long {
			return flush(out)
		}
		// An error of out is sticky: Flush reports it.
		_, _ = out.Write(append(EncodeDecision(explain(line, long)), '\n'))
		if err == io.EOF {
			return flush(out)
		}
		if in.Buffered() == 0 {
			if err := flush(out); err != nil {
				return err
			}
		}
	}
}

func explain(line []byte, long bool) consent.Decision {
	if !long {
		if in, err := DecodeInput(line); err == nil {
			return consent.Decide(in)
		}
	}
	return consent.Decide(consent.Input{}) // every value missing: bad-input
}

// readLine appends the next line to buf, without its line feed. It goes on to
// the end of an over-long line but keeps none of it.
func readLine(r *bufio.Reader, buf []byte) (line []byte, long bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if n := len(part); n > 0 && part[n-1] == '\n' {
			part = part[:n-1]
		}
		if long || len(buf)+len(part) > MaxLine {
			long, buf = true, buf[:0]
		} else {
			buf = append(buf, part...)
		}
		if err != bufio.ErrBufferFull {
			return buf, long, err
		}
	}
}

func flush(out *bufio.Writer) error {
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write decision: %w", err)
	}
	return nil
}

// joinFlush writes what was answered so far; the read error is what counts.
func joinFlush(err error, out *bufio.Writer) error {
	_ = out.Flush()
	return err
}
