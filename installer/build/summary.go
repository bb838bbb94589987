package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// codes are two of a package's names: that of the product, by which Windows knows one
// version from another, and that of the very package, which no two that differ may have
// (Microsoft Learn, "Package Codes").
func codes(number, arch string, wine bool, stage string) (product, code string, err error) {
	name := number + " " + arch
	if wine {
		name += " wine" // it is another package, and must not be taken for the real one
	}
	content := sha256.New()
	content.Write([]byte(name + "\n"))
	all, err := sums(stage)
	if err != nil {
		return "", "", err
	}
	for _, s := range all {
		fmt.Fprintf(content, "%s %s\n", s.Digest["sha256"], s.Name)
	}
	return guid("product " + name), guid("package " + fmt.Sprintf("%x", content.Sum(nil))), nil
}

// guid makes the name of a name: version 8 of RFC 9562, from its SHA-256, written as
// Windows Installer wants it.
func guid(name string) string {
	h := sha256.Sum256([]byte("aval msi " + name))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// aged gives every file of a folder the time of the source: the cabinet holds it.
func aged(dir string, at time.Time) error {
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := os.Chtimes(filepath.Join(dir, e.Name()), at, at); err != nil {
			return err
		}
	}
	return nil
}

// summaryFormat names the properties in a package's summary (MS-OLEPS 2.18,
// FMTID_SummaryInformation), as its bytes lie in the file.
var summaryFormat = []byte{0xE0, 0x85, 0x9F, 0xF2, 0xF9, 0x4F, 0x68, 0x10, 0xAB, 0x91, 0x08, 0x00, 0x2B, 0x27, 0xB3, 0xD9}

// Of the summary's properties: when it was made, when it was saved last; and the type
// of both, in units of 100 ns since 1601 (MS-OLEPS 2.18.1 and MS-DTYP 2.3.3).
const (
	pidCreated, pidSaved = 12, 13
	typeTime             = 0x40
	unixInWindows        = 116444736000000000 // 1 January 1970
)

// setTimes puts the time of the source where msibuild puts that of the building into
// the summary of a package: nothing else in it depends on the day.
func setTimes(msi []byte, at time.Time) error {
	i := bytes.Index(msi, summaryFormat)
	if i < 28 || bytes.Contains(msi[i+1:], summaryFormat) {
		return errors.New("set times of package: it has no summary, or more than one")
	}
	begin := i - 28 // of the property set, whose header has 28 bytes before it
	section := begin + int(binary.LittleEndian.Uint32(msi[i+16:]))
	found := 0
	for k := range int(binary.LittleEndian.Uint32(msi[section+4:])) {
		entry := msi[section+8+8*k:]
		value := msi[section+int(binary.LittleEndian.Uint32(entry[4:])):]
		switch binary.LittleEndian.Uint32(entry) {
		case pidCreated, pidSaved:
			// A set that does not lie in one piece would be read wrong: its time is not one.
			was := int64(binary.LittleEndian.Uint64(value[4:])) - unixInWindows
			if binary.LittleEndian.Uint32(value) != typeTime || was < 0 || was > 4_000_000_000*1e7 {
				return errors.New("set times of package: its summary is not as msibuild writes it")
			}
			binary.LittleEndian.PutUint64(value[4:], uint64(at.Unix()*1e7+unixInWindows))
			found++
		}
	}
	if found != 2 {
		return fmt.Errorf("set times of package: its summary has %d of two times", found)
	}
	return nil
}
