package macos

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
)

// loadSignature is LC_CODE_SIGNATURE of mach-o/loader.h.
const loadSignature = 0x1d

// universal puts a program for Intel and one for Apple silicon into one file
// (mach-o/fat.h): the header, then each program at a multiple of its page's size,
// 4 and 16 KiB. Apple silicon starts only what is signed; Go's linker does that, for
// this computer's own sake and no more (an ad-hoc signature).
func universal(intel, apple []byte) ([]byte, error) {
	type part struct {
		raw   []byte
		cpu   macho.Cpu
		sub   uint32
		shift uint32
	}
	parts := []part{{intel, macho.CpuAmd64, 3, 12}, {apple, macho.CpuArm64, 0, 14}}
	out := binary.BigEndian.AppendUint32(nil, macho.MagicFat)
	out = binary.BigEndian.AppendUint32(out, uint32(len(parts)))
	offset := uint32(8 + 20*len(parts))
	var offsets []uint32
	for _, p := range parts {
		f, err := macho.NewFile(bytes.NewReader(p.raw))
		if err != nil {
			return nil, fmt.Errorf("join programs: %w", err)
		}
		if f.Cpu != p.cpu || f.Type != macho.TypeExec {
			return nil, fmt.Errorf("join programs: a program for %v was expected, and this is a %v for %v", p.cpu, f.Type, f.Cpu)
		}
		if p.cpu == macho.CpuArm64 && !signed(f) {
			return nil, errors.New("join programs: that for Apple silicon has no signature, so no such computer would start it")
		}
		offset = (offset + 1<<p.shift - 1) &^ (1<<p.shift - 1)
		offsets = append(offsets, offset)
		for _, v := range []uint32{uint32(p.cpu), p.sub, offset, uint32(len(p.raw)), p.shift} {
			out = binary.BigEndian.AppendUint32(out, v)
		}
		offset += uint32(len(p.raw))
	}
	for i, p := range parts {
		out = append(out, make([]byte, int(offsets[i])-len(out))...)
		out = append(out, p.raw...)
	}
	return out, nil
}

// signed tells whether a program has a signature at all.
func signed(f *macho.File) bool {
	for _, l := range f.Loads {
		if raw := l.Raw(); len(raw) >= 4 && f.ByteOrder.Uint32(raw) == loadSignature {
			return true
		}
	}
	return false
}
