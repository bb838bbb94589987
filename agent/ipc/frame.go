package ipc

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"aval/agent/strict"
)

// errFrameTooLong ends a connection: what follows cannot be told apart any more.
var errFrameTooLong = fmt.Errorf("frame is longer than %d bytes", MaxFrame)

// badFrame is a line that is whole and no frame.
type badFrame struct{ error }

func (b badFrame) Unwrap() error { return b.error }

// readFrame reads one line and decodes it strictly.
func readFrame(r *bufio.Reader) (frame, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return frame{}, errFrameTooLong
	case errors.Is(err, io.EOF) && len(line) > 0:
		return frame{}, io.ErrUnexpectedEOF // half a line is no message
	case err != nil:
		return frame{}, err
	}
	var f frame
	if err := strict.Decode(line, &f); err != nil {
		return frame{}, badFrame{err}
	}
	if err := strict.Once(line); err != nil {
		return frame{}, badFrame{err}
	}
	return f, nil
}

// newReader returns a reader whose buffer bounds a frame.
func newReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, MaxFrame) }

// encodeFrame returns the frame's line. An oversized one is an error here, so
// that no peer is sent what it would refuse.
func encodeFrame(f frame) ([]byte, error) {
	line, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	if len(line)+1 > MaxFrame {
		return nil, errFrameTooLong
	}
	return append(line, '\n'), nil
}

// Decode reads the parameters of a request strictly; a missing value counts as {}.
func Decode(params json.RawMessage, into any) error {
	if len(params) == 0 {
		params = []byte("{}")
	}
	if err := strict.Decode(params, into); err != nil {
		return &Error{Code: CodeBadRequest, Message: "the request's parameters are not valid", Hint: err.Error()}
	}
	return nil
}
