package macos

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// member is one file of a xar archive, or with members a folder.
type member struct {
	name    string
	data    []byte
	members []member // of a folder; nil: a file
}

// writeXar writes an archive (xar's own description: "xarformat" in its wiki): a
// header of 28 bytes, the table of contents as XML compressed by zlib, and the heap,
// where the table's SHA-1 stands first and the files after it, at the offsets that
// the table names. Nothing in it is compressed once more. Everything has the time at.
func writeXar(w io.Writer, members []member, at time.Time) error {
	t := toc{Created: at.UTC().Format("2006-01-02T15:04:05"), Checksum: tocChecksum{"sha1", 0, sha1.Size}}
	heap := int64(sha1.Size)
	id := 0
	var data [][]byte
	var describe func(members []member) []tocFile
	describe = func(members []member) (out []tocFile) {
		for _, m := range members {
			id++
			f := tocFile{ID: id, Name: m.name, Type: "file", Mode: "0644", User: "root", Group: "wheel",
				ATime: at.UTC().Format(time.RFC3339), MTime: at.UTC().Format(time.RFC3339), CTime: at.UTC().Format(time.RFC3339)}
			if m.members != nil {
				f.Type, f.Mode = "directory", "0755"
				f.Files = describe(m.members)
			} else {
				sum := fmt.Sprintf("%x", sha256.Sum256(m.data))
				n := int64(len(m.data))
				f.Data = &tocData{Length: n, Size: n, Offset: heap, Encoding: tocEncoding{"application/octet-stream"},
					Archived: tocSum{"sha256", sum}, Extracted: tocSum{"sha256", sum}}
				heap += n
				data = append(data, m.data)
			}
			out = append(out, f)
		}
		return out
	}
	t.Files = describe(members)
	plain, err := xml.MarshalIndent(struct {
		XMLName struct{} `xml:"xar"`
		TOC     toc      `xml:"toc"`
	}{TOC: t}, "", " ")
	if err != nil {
		return fmt.Errorf("write table of contents: %w", err)
	}
	plain = slices.Concat([]byte(xml.Header), plain, []byte("\n"))
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil {
		return fmt.Errorf("write table of contents: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write table of contents: %w", err)
	}
	const size, version, sha1Sum = 28, 1, 1
	head := []byte("xar!")
	head = binary.BigEndian.AppendUint16(head, size)
	head = binary.BigEndian.AppendUint16(head, version)
	head = binary.BigEndian.AppendUint64(head, uint64(packed.Len()))
	head = binary.BigEndian.AppendUint64(head, uint64(len(plain)))
	head = binary.BigEndian.AppendUint32(head, sha1Sum)
	sum := sha1.Sum(packed.Bytes()) // of the table as it is stored
	for _, part := range append([][]byte{head, packed.Bytes(), sum[:]}, data...) {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	return nil
}

// The table of contents, in XML.
type (
	toc struct {
		Created  string      `xml:"creation-time"`
		Checksum tocChecksum `xml:"checksum"`
		Files    []tocFile   `xml:"file"`
	}
	tocChecksum struct {
		Style  string `xml:"style,attr"`
		Offset int64  `xml:"offset"`
		Size   int64  `xml:"size"`
	}
	tocFile struct {
		ID    int       `xml:"id,attr"`
		Data  *tocData  `xml:"data"`
		CTime string    `xml:"ctime"`
		MTime string    `xml:"mtime"`
		ATime string    `xml:"atime"`
		Group string    `xml:"group"`
		GID   int       `xml:"gid"`
		User  string    `xml:"user"`
		UID   int       `xml:"uid"`
		Mode  string    `xml:"mode"`
		Type  string    `xml:"type"`
		Name  string    `xml:"name"`
		Files []tocFile `xml:"file"`
	}
	tocData struct {
		Length    int64       `xml:"length"` // as stored
		Offset    int64       `xml:"offset"` // from the heap's beginning
		Size      int64       `xml:"size"`   // as extracted
		Encoding  tocEncoding `xml:"encoding"`
		Extracted tocSum      `xml:"extracted-checksum"`
		Archived  tocSum      `xml:"archived-checksum"`
	}
	tocEncoding struct {
		Style string `xml:"style,attr"`
	}
	tocSum struct {
		Style string `xml:"style,attr"`
		Sum   string `xml:",chardata"`
	}
)

// escaped is text as it stands in XML.
func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	return b.String()
}
