package tray

import (
	"bytes"
	"encoding/binary"
)

// native puts a PNG into an icon file of one picture: a header of 6 bytes and a
// directory of 16 (ICONDIR and ICONDIRENTRY; Windows Vista and later take PNG).
func native(png []byte) []byte {
	var b bytes.Buffer
	for _, v := range []any{
		uint16(0), uint16(1), uint16(1),
		uint8(side), uint8(side), uint8(0), uint8(0), uint16(1), uint16(32), uint32(len(png)), uint32(22),
	} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes everything
	}
	b.Write(png)
	return b.Bytes()
}

func reachable(Options) bool { return true }

// appear: the library knows of every start of the tray (TaskbarCreated).
func (t *sys) appear() {}

// Tell does nothing: what can be shown here needs text to be written into a
// script, which text from outside must never be.
func (t *sys) Tell(string, string) {}
