package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of a bbolt file, version 2, from go.etcd.io/bbolt v1.5.0
// internal/common/{page,meta,inode,bucket}.go. Numbers are in the byte order of
// the machine.
const (
	pageHead   = 16 // id(8) flags(2) count(2) overflow(4)
	elemSize   = 16 // leaf: flags, pos, ksize, vsize; branch: pos, ksize, pgid(8)
	bucketHead = 16 // root(8) sequence(8)
	metaSize   = 64 // magic, version, pagesize, flags, root(16), freelist, pgid, txid, checksum

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	elemBucket   = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = ^uint64(0)

	maxPageBytes = 64 << 20 // one page with its overflow: far more than is ever stored
	maxDepth     = 64
)

var order = binary.NativeEndian

// precheck reads the structure of a database file with plain reads. bbolt
// follows page numbers and sizes without looking, partly on goroutines of its
// own, where a bad one ends the program; what passes here cannot do that.
// lastLost tells that one of the two headers is damaged: the database is whole,
// but the last thing that was written may be missing.
func precheck(path string) (lastLost bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	m, lastLost, err := readMeta(f, info.Size())
	if err != nil {
		return false, err
	}
	c := &checker{f: f, meta: m, seen: make([]uint64, m.pages/64+1)}
	c.mark(0)
	c.mark(1)
	if m.freelist != noFreelist {
		if err := c.freelist(m.freelist); err != nil {
			return false, err
		}
	}
	return lastLost, c.tree(m.root, nil, nil, 0)
}

type meta struct {
	pageSize             uint32
	root, freelist, txid uint64
	pages                uint64 // page numbers are below it
}

// readMeta finds the newer valid header of the two: the one that bbolt takes.
func readMeta(f io.ReaderAt, size int64) (best meta, oneBad bool, err error) {
	// The second header is one page in; the page size is in the headers.
	found := 0
	try := func(off int64) (meta, bool) {
		buf := make([]byte, pageHead+metaSize)
		if _, err := f.ReadAt(buf, off); err != nil {
			return meta{}, false
		}
		b := buf[pageHead:]
		h := fnv.New64a()
		h.Write(b[:56])
		if order.Uint32(b) != boltMagic || order.Uint32(b[4:]) != boltVersion || order.Uint64(b[56:]) != h.Sum64() {
			return meta{}, false
		}
		m := meta{pageSize: order.Uint32(b[8:]), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]),
			pages: order.Uint64(b[40:]), txid: order.Uint64(b[48:])}
		return m, true
	}
	m0, ok0 := try(0)
	var m1 meta
	var ok1 bool
	if ok0 {
		m1, ok1 = try(int64(m0.pageSize))
	} else {
		for ps := int64(1024); ps <= 1<<16 && !ok1; ps *= 2 {
			m1, ok1 = try(ps)
			ok1 = ok1 && int64(m1.pageSize) == ps
		}
	}
	for _, c := range []struct {
		m  meta
		ok bool
	}{{m0, ok0}, {m1, ok1}} {
		if c.ok {
			found++
			if found == 1 || c.m.txid > best.txid {
				best = c.m
			}
		}
	}
	if found == 0 {
		return meta{}, false, errors.New("neither of the two headers is valid")
	}
	ps := best.pageSize
	if ps < 1024 || ps > 1<<16 || ps&(ps-1) != 0 || best.pages < 3 || best.pages > uint64(size)/uint64(ps) {
		return meta{}, false, fmt.Errorf("its header speaks of %d pages of %d bytes, and the file has %d bytes", best.pages, ps, size)
	}
	return best, found == 1, nil
}

type checker struct {
	f    io.ReaderAt
	meta meta
	seen []uint64 // a bit for each page
}

// mark notes that a page is used; twice is damage.
func (c *checker) mark(id uint64) bool {
	w, b := id/64, uint64(1)<<(id%64)
	if c.seen[w]&b != 0 {
		return false
	}
	c.seen[w] |= b
	return true
}

// page reads a page with its overflow and marks it.
func (c *checker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= c.meta.pages {
		return nil, fmt.Errorf("page %d does not exist", id)
	}
	head := make([]byte, pageHead)
	off := int64(id) * int64(c.meta.pageSize)
	if _, err := c.f.ReadAt(head, off); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	over := uint64(order.Uint32(head[12:]))
	if order.Uint64(head) != id || id+over >= c.meta.pages || (over+1)*uint64(c.meta.pageSize) > maxPageBytes {
		return nil, fmt.Errorf("page %d has a bad head", id)
	}
	for i := id; i <= id+over; i++ {
		if !c.mark(i) {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
	}
	buf := make([]byte, (over+1)*uint64(c.meta.pageSize))
	if _, err := c.f.ReadAt(buf, off); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return buf, nil
}

// freelist checks a stored list of free pages.
func (c *checker) freelist(id uint64) error {
	p, err := c.page(id)
	if err != nil {
		return err
	}
	n, at := uint64(order.Uint16(p[10:])), pageHead
	if n == 0xFFFF && len(p) >= at+8 {
		n, at = order.Uint64(p[at:]), at+8
	}
	if order.Uint16(p[8:]) != flagFreelist || n > uint64(len(p)-at)/8 {
		return errors.New("the list of free pages is damaged")
	}
	last := uint64(1)
	for i := range n {
		v := order.Uint64(p[at+int(i)*8:])
		if v <= last || v >= c.meta.pages {
			return errors.New("the list of free pages is damaged")
		}
		last = v
	}
	return nil
}

// tree checks the page id and everything below. Keys lie in [lo, hi).
func (c *checker) tree(id uint64, lo, hi []byte, depth int) error {
	if depth > maxDepth {
		return errors.New("pages are nested too deeply")
	}
	p, err := c.page(id)
	if err != nil {
		return err
	}
	switch order.Uint16(p[8:]) {
	case flagLeaf:
		return c.leaf(p, id, lo, hi, depth)
	case flagBranch:
		return c.branch(p, id, lo, hi, depth)
	}
	return fmt.Errorf("page %d is of no known sort", id)
}

// slice cuts key or value out of a page.
func slice(p []byte, elem int, pos, n uint64) ([]byte, bool) {
	from := uint64(elem) + pos
	if pos > uint64(len(p)) || n > uint64(len(p)) || from+n > uint64(len(p)) {
		return nil, false
	}
	return p[from : from+n], true
}

func inOrder(k, last, lo, hi []byte, first bool) bool {
	if !first && bytes.Compare(k, last) <= 0 {
		return false
	}
	return (lo == nil || bytes.Compare(k, lo) >= 0) && (hi == nil || bytes.Compare(k, hi) < 0)
}

func (c *checker) branch(p []byte, id uint64, lo, hi []byte, depth int) error {
	n := int(order.Uint16(p[10:]))
	if n == 0 || pageHead+n*elemSize > len(p) {
		return fmt.Errorf("page %d has a bad head", id)
	}
	keys := make([][]byte, n)
	for i := range n {
		e := pageHead + i*elemSize
		k, ok := slice(p, e, uint64(order.Uint32(p[e:])), uint64(order.Uint32(p[e+4:])))
		// The first key of a branch may be older than what is below it, so the
		// lower bound holds only for the others.
		if !ok || (i > 0 && !inOrder(k, keys[i-1], lo, hi, false)) {
			return fmt.Errorf("page %d: element %d is damaged", id, i)
		}
		keys[i] = k
	}
	for i := range n {
		e := pageHead + i*elemSize
		from, to := keys[i], hi
		if i == 0 {
			from = lo
		}
		if i+1 < n {
			to = keys[i+1]
		}
		if err := c.tree(order.Uint64(p[e+8:]), from, to, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) leaf(p []byte, id uint64, lo, hi []byte, depth int) error {
	n := int(order.Uint16(p[10:]))
	if pageHead+n*elemSize > len(p) {
		return fmt.Errorf("page %d has a bad head", id)
	}
	var last []byte
	for i := range n {
		e := pageHead + i*elemSize
		flags := order.Uint32(p[e:])
		pos, kn, vn := uint64(order.Uint32(p[e+4:])), uint64(order.Uint32(p[e+8:])), uint64(order.Uint32(p[e+12:]))
		k, ok := slice(p, e, pos, kn)
		v, vok := slice(p, e, pos+kn, vn)
		if !ok || !vok || flags&^elemBucket != 0 || len(k) == 0 || !inOrder(k, last, lo, hi, i == 0) {
			return fmt.Errorf("page %d: element %d is damaged", id, i)
		}
		last = k
		if flags&elemBucket == 0 {
			continue
		}
		if err := c.bucket(v, id, depth); err != nil {
			return err
		}
	}
	return nil
}

// bucket checks a bucket's value: the number of its root, or a small leaf inline.
func (c *checker) bucket(v []byte, id uint64, depth int) error {
	if depth > maxDepth || len(v) < bucketHead {
		return fmt.Errorf("page %d: a bucket is damaged", id)
	}
	if root := order.Uint64(v); root != 0 {
		return c.tree(root, nil, nil, depth+1)
	}
	in := v[bucketHead:]
	if len(in) < pageHead || order.Uint16(in[8:]) != flagLeaf || order.Uint32(in[12:]) != 0 {
		return fmt.Errorf("page %d: a bucket is damaged", id)
	}
	return c.leaf(in, id, nil, nil, depth+1)
}
