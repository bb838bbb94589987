package macos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"path"
	"slices"
	"strings"
	"time"
)

// maxBom is how many paths fit into the one leaf that is written here: 12 bytes of
// header and 8 for each path in a block of 4096.
const maxBom = (treeBlock - 12) / 8

const treeBlock = 4096

// bom writes a bill of materials (bom(5)): what the installer compares a payload
// with, and what pkgutil lists afterwards. Apple documents its contents (lsbom(8))
// and not its bytes; they are known from those who have read them, and written here
// as mkbom of macOS 10.11 has written them:
//
// The file is a store of numbered blocks. Its header names an index (address and
// length of each block; block 0 is none) and the variables, which name blocks.
// Variable Paths is a tree, whose leaf has for each path two blocks: one with the
// number and the facts, one with the name and the number of the folder. All numbers
// are big-endian. The paths of a folder stand together, sorted by name.
func bom(entries []entry, at time.Time) ([]byte, error) {
	sorted, err := byFolder(entries)
	if err != nil {
		return nil, err
	}
	s := &store{blocks: [][]byte{nil}}
	var total uint32
	ids := map[string]uint32{}
	var leaf []uint32
	for i, e := range sorted {
		id := uint32(i + 1)
		ids[e.path] = id
		parent := ids[path.Dir(e.path)]
		if e.path == "." {
			parent = 0
		} else if parent == 0 {
			return nil, fmt.Errorf("list %s: its folder is not there", e.path)
		}
		if e.mode&typeMask != typeDir {
			total += uint32(len(e.data))
		}
		facts := s.add(facts(e, at))
		leaf = append(leaf, s.add(numbers(id, facts)), s.add(append(numbers(parent), path.Base(e.path)+"\x00"...)))
	}
	const version, empty = 1, 0
	s.name("BomInfo", s.add(numbers(version, uint32(len(sorted)+1), 1, 0, 0, total, 0)))
	s.name("Paths", s.tree(treeBlock, leaf))
	s.name("HLIndex", s.tree(treeBlock, nil)) // files with several names
	s.name("VIndex", s.add(append(numbers(1, s.tree(128, nil), empty), 0)))
	s.name("Size64", s.tree(treeBlock, nil)) // files of 4 GB and more
	return s.bytes(), nil
}

// byFolder is breadth first, so that the numbers of the folders grow, and by name: the
// leaf is searched by the folder's number and the name.
func byFolder(entries []entry) ([]entry, error) {
	if len(entries) > maxBom {
		return nil, fmt.Errorf("list files: %d are more than the %d that are written here", len(entries), maxBom)
	}
	out := slices.Clone(entries)
	depth := func(p string) int {
		if p == "." {
			return -1
		}
		return strings.Count(p, "/")
	}
	slices.SortFunc(out, func(a, b entry) int {
		if d := depth(a.path) - depth(b.path); d != 0 {
			return d
		}
		return slices.Compare(strings.Split(a.path, "/"), strings.Split(b.path, "/"))
	})
	if len(out) == 0 || out[0].path != "." {
		return nil, errors.New("list files: the root is not among them")
	}
	return out, nil
}

// facts is what is said of one path: 31 bytes, and what follows for its type.
func facts(e entry, at time.Time) []byte {
	const file, dir, link = 1, 2, 3
	const architecture, present = 0x0f, 1 // as mkbom writes them for every file
	kind, size, sum := byte(file), uint32(len(e.data)), cksum(e.data)
	switch e.mode & typeMask {
	case typeDir:
		kind, size, sum = dir, 0, 0
	case typeLink:
		kind = link
	}
	b := []byte{kind, present}
	b = binary.BigEndian.AppendUint16(b, architecture)
	b = binary.BigEndian.AppendUint16(b, uint16(e.mode))
	b = append(b, numbers(0, 0, uint32(at.Unix()), size)...) // root, wheel
	b = append(b, present)
	b = append(b, numbers(sum)...)
	switch kind {
	case link:
		b = append(b, numbers(uint32(len(e.data)+1))...)
		b = append(append(b, e.data...), 0)
		return append(b, numbers(0, 0)...)
	case file:
		return append(b, numbers(0, 0)...)
	}
	return append(b, numbers(0)...)
}

func numbers(vs ...uint32) []byte {
	var b []byte
	for _, v := range vs {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// store is a file of numbered blocks.
type store struct {
	blocks [][]byte
	vars   bytes.Buffer
	named  uint32
}

func (s *store) add(b []byte) uint32 {
	s.blocks = append(s.blocks, b)
	return uint32(len(s.blocks) - 1)
}

func (s *store) name(name string, block uint32) {
	s.vars.Write(numbers(block))
	s.vars.WriteByte(byte(len(name)))
	s.vars.WriteString(name)
	s.named++
}

// tree is one of a single leaf; pairs are its keys and values, in turn.
func (s *store) tree(block uint32, pairs []uint32) uint32 {
	const isLeaf, version, next, previous = 1, 1, 0, 0
	n := uint32(len(pairs) / 2)
	leaf := numbers(isLeaf<<16|n, next, previous)
	leaf = append(leaf, numbers(pairs...)...)
	leaf = append(leaf, make([]byte, int(block)-min(len(leaf), int(block)))...)
	child := s.add(leaf)
	return s.add(slices.Concat([]byte("tree"), numbers(version, child, block, n), []byte{0}))
}

// bytes is the store as a file: header, variables, blocks, index. The index ends
// with an empty list of free blocks, which has room for two.
func (s *store) bytes() []byte {
	const header, version = 512, 1
	vars := append(numbers(s.named), s.vars.Bytes()...)
	at := uint32(header + len(vars))
	index := numbers(uint32(len(s.blocks)))
	var body []byte
	for _, b := range s.blocks {
		if b == nil {
			index = append(index, numbers(0, 0)...)
			continue
		}
		index = append(index, numbers(at+uint32(len(body)), uint32(len(b)))...)
		body = append(body, b...)
	}
	index = append(index, numbers(0, 0, 0, 0, 0)...)
	head := append([]byte("BOMStore"), numbers(version, uint32(len(s.blocks)-1), at+uint32(len(body)), uint32(len(index)), header, uint32(len(vars)))...)
	head = append(head, make([]byte, header-len(head))...)
	return slices.Concat(head, vars, body, index)
}

// cksum is the sum of POSIX's cksum(1): CRC-32 from the highest bit on, of the data
// and of its length.
func cksum(data []byte) uint32 {
	// The table of hash/crc32 goes from the lowest bit on; with every byte and the
	// result turned round it is the same polynomial, begun with 0.
	turned := make([]byte, len(data), len(data)+8)
	for i, b := range data {
		turned[i] = bits.Reverse8(b)
	}
	for n := len(data); n > 0; n >>= 8 {
		turned = append(turned, bits.Reverse8(byte(n)))
	}
	return ^bits.Reverse32(^crc32.Update(^uint32(0), crc32.IEEETable, turned))
}
