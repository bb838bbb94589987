package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errLost: the kernel had to drop announcements.
var errLost = errors.New("announcements were lost")

// wide gives a socket room for a burst; best effort.
func wide(fd int) {
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
}

// atOnceMost is how many messages are taken with one system call.
const atOnceMost = 32

// inbox takes what the kernel has sent to a netlink socket, many messages with one
// system call: on a busy computer most of the cost of a message is the call that
// fetches it. It belongs to one goroutine.
type inbox struct {
	most  int // bytes of one message; what is longer is cut
	room  []byte
	heads [atOnceMost]messageHead
	parts [atOnceMost]unix.Iovec
	from  [atOnceMost]unix.RawSockaddrNetlink
}

// messageHead is struct mmsghdr of recvmmsg(2).
type messageHead struct {
	unix.Msghdr
	size uint32
}

func newInbox(most int) *inbox {
	in := &inbox{most: most, room: make([]byte, atOnceMost*max(most, 1))}
	for i := range in.heads {
		in.parts[i].Base = &in.room[i*most]
		in.parts[i].SetLen(most)
		in.heads[i].Iov = &in.parts[i]
		in.heads[i].SetIovlen(1)
		in.heads[i].Name = (*byte)(unsafe.Pointer(&in.from[i]))
	}
	return in
}

// take hands over what waits, at most atOnceMost messages; only what the kernel
// itself sent. It tells how many there were: with fewer than atOnceMost nothing
// waits any more. errLost says that some had to be dropped. It never waits, so
// that Go's scheduler need not hear of it.
func (in *inbox) take(fd int, each func([]byte)) (n int, err error) {
	for i := range in.heads {
		in.heads[i].Namelen = unix.SizeofSockaddrNetlink
	}
	for {
		got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.heads[0])), atOnceMost, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			n = int(got)
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, nil
		case unix.ENOBUFS:
			return 0, errLost
		default:
			return 0, errno
		}
		break
	}
	for i := range in.heads[:n] {
		if h := &in.heads[i]; in.from[i].Pid == 0 && h.Namelen == unix.SizeofSockaddrNetlink && each != nil {
			each(in.room[i*in.most:][:min(int(h.size), in.most)])
		}
	}
	return n, nil
}

// poll waits until one of the descriptors can be read, and tells which: a bit for
// each, the first lowest. At most four.
func poll(wait time.Duration, fds ...int) (ready uint, err error) {
	var list [4]unix.PollFd
	for i, fd := range fds {
		list[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	if _, err := unix.Poll(list[:len(fds)], int(wait.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
		return 0, err
	}
	for i := range fds {
		if list[i].Revents != 0 {
			ready |= 1 << i
		}
	}
	return ready, nil
}

// waker ends a poll from another goroutine.
type waker struct {
	f  *os.File
	fd int
}

func newWaker() (*waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	return &waker{os.NewFile(uintptr(fd), "eventfd"), fd}, nil
}

// wake may come after Close: the file knows that it is closed.
func (w *waker) wake() { w.f.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// slept takes the wake-ups so far.
func (w *waker) slept() { unix.Read(w.fd, make([]byte, 8)) }

func (w *waker) Close() error { return w.f.Close() }

func align4(n int) int { return (n + 3) &^ 3 }

// messages reads netlink messages (netlink(7)): the type and the body of each.
func messages(b []byte) func(func(uint16, []byte) bool) {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.NLMSG_HDRLEN {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.NLMSG_HDRLEN || size > len(b) || !yield(binary.NativeEndian.Uint16(b[4:]), b[unix.NLMSG_HDRLEN:size]) || align4(size) >= len(b) {
				return
			}
			b = b[align4(size):]
		}
	}
}

// attributes reads netlink attributes: the type and the value of each.
func attributes(b []byte) func(func(uint16, []byte) bool) {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(binary.NativeEndian.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) || !yield(binary.NativeEndian.Uint16(b[2:])&0x3fff, b[unix.SizeofRtAttr:size]) || align4(size) >= len(b) {
				return
			}
			b = b[align4(size):]
		}
	}
}
