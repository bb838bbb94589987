package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	wevtapi      = windows.NewLazySystemDLL("wevtapi.dll")
	evtSubscribe = wevtapi.NewProc("EvtSubscribe")
	evtNext      = wevtapi.NewProc("EvtNext")
	evtRender    = wevtapi.NewProc("EvtRender")
	evtClose     = wevtapi.NewProc("EvtClose")
	evtPublisher = wevtapi.NewProc("EvtOpenPublisherMetadata")
	evtFormat    = wevtapi.NewProc("EvtFormatMessage")

	wtsapi32     = windows.NewLazySystemDLL("wtsapi32.dll")
	wtsQueryInfo = wtsapi32.NewProc("WTSQuerySessionInformationW")
)

// Constants of winevt.h.
const (
	evtSubscribeToFutureEvents = 1
	evtRenderEventXML          = 1
	evtFormatMessageXML        = 9 // the event as above, with its sentence
	// errChannelNotFound: the tool that brings the channel is not installed.
	errChannelNotFound = windows.Errno(15007) // ERROR_EVT_CHANNEL_NOT_FOUND
	// eventBatch is how many events are fetched at once.
	eventBatch = 16
)

// JournalTools: there is no journal.
func JournalTools() []string { return nil }

// chromeHosts: on Windows the host writes events.
func chromeHosts() []uint32 { return nil }

// Feeds are the system's logs that tell of these tools: the event log, and for
// Remote Desktop the session changes of the service, nil where it is none.
func Feeds(tools []string, changes <-chan struct{}) []Feed {
	tools = slices.DeleteFunc(slices.Clone(tools), func(t string) bool {
		return !slices.Contains([]string{ToolRDP, ToolSplashtop, ToolScreenConnect, ToolChrome}, t)
	})
	if len(tools) == 0 {
		return nil
	}
	return []Feed{{Name: "event log", Tools: tools, run: func(ctx context.Context, log *slog.Logger, sink Sink, take func(func())) error {
		w := newWinEvents(sink, tools)
		done := make(chan error, len(eventQueries))
		for _, q := range eventQueries {
			go func() {
				err := FollowEvents(ctx, q, func(raw string) {
					now := time.Now().UTC()
					take(func() { w.event(raw, now) })
				})
				if errors.Is(err, errChannelNotFound) {
					log.Debug("a channel of the event log does not exist", "channel", q.Channel)
					err = nil
				}
				done <- err
			}()
		}
		if slices.Contains(tools, ToolRDP) {
			go followChanges(ctx, log, w, changes, take)
		}
		var all []error
		for range eventQueries {
			all = append(all, <-done)
		}
		if err := errors.Join(all...); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}}}
}

// followChanges looks at the system's list of desktop sessions now and whenever
// it may have changed.
func followChanges(ctx context.Context, log *slog.Logger, w *winEvents, changes <-chan struct{}, take func(func())) {
	for {
		now := time.Now().UTC() // before the look: an end meanwhile is later
		if all, err := desktopSessions(); err != nil {
			log.Error("list desktop sessions", "err", err)
		} else {
			take(func() { w.rdp.state(all, now) })
		}
		select {
		case <-ctx.Done():
			return
		case <-changes: // nil: never
		}
	}
}

// FollowEvents delivers the events of one channel that are written from now on,
// as XML for DecodeEvent, until ctx ends (EvtSubscribe, the pull model).
func FollowEvents(ctx context.Context, q EventQuery, each func(raw string)) error {
	channel, err1 := windows.UTF16PtrFromString(q.Channel)
	query, err2 := windows.UTF16PtrFromString(q.Query)
	signal, err3 := windows.CreateEvent(nil, 1, 1, nil) // reset by hand, signalled at first
	stop, err4 := windows.CreateEvent(nil, 1, 0, nil)
	if err := errors.Join(err1, err2, err3, err4, wevtapi.Load()); err != nil {
		return fmt.Errorf("follow event log %s: %w", q.Channel, err)
	}
	defer windows.CloseHandle(signal)
	ended := make(chan struct{})
	release := context.AfterFunc(ctx, func() { _ = windows.SetEvent(stop); close(ended) })
	defer func() {
		if !release() {
			<-ended
		}
		windows.CloseHandle(stop)
	}()
	sub, _, err := evtSubscribe.Call(0, uintptr(signal), uintptr(unsafe.Pointer(channel)), uintptr(unsafe.Pointer(query)), 0, 0, 0, evtSubscribeToFutureEvents)
	if sub == 0 {
		return fmt.Errorf("follow event log %s: %w", q.Channel, err)
	}
	defer evtClose.Call(sub)
	texts := publishers{}
	defer texts.close()
	if !q.Text {
		texts = nil
	}
	for {
		n, err := windows.WaitForMultipleObjects([]windows.Handle{stop, signal}, false, windows.INFINITE)
		if err != nil {
			return fmt.Errorf("wait for event log %s: %w", q.Channel, err)
		}
		if n == windows.WAIT_OBJECT_0 {
			return nil
		}
		if err := windows.ResetEvent(signal); err != nil {
			return fmt.Errorf("wait for event log %s: %w", q.Channel, err)
		}
		if err := nextEvents(sub, texts, each); err != nil {
			return fmt.Errorf("read event log %s: %w", q.Channel, err)
		}
	}
}

// nextEvents delivers all that has come.
func nextEvents(sub uintptr, texts publishers, each func(raw string)) error {
	var events [eventBatch]uintptr
	for {
		var n uint32
		ok, _, err := evtNext.Call(sub, eventBatch, uintptr(unsafe.Pointer(&events[0])), 0, 0, uintptr(unsafe.Pointer(&n)))
		if ok == 0 {
			if errors.Is(err, windows.ERROR_NO_MORE_ITEMS) || errors.Is(err, windows.ERROR_TIMEOUT) {
				return nil
			}
			return err
		}
		for _, e := range events[:min(n, eventBatch)] {
			if raw, ok := renderEvent(e); ok {
				if texts != nil {
					raw = texts.render(e, raw)
				}
				each(raw)
			}
			evtClose.Call(e)
		}
	}
}

// renderEvent is the event in XML; one that is too large is left out.
func renderEvent(event uintptr) (string, bool) {
	var used, properties uint32
	_, _, _ = evtRender.Call(0, event, evtRenderEventXML, 0, 0, uintptr(unsafe.Pointer(&used)), uintptr(unsafe.Pointer(&properties)))
	if used < 2 || used > 2*maxEvent { // bytes of UTF-16
		return "", false
	}
	buf := make([]uint16, used/2)
	ok, _, _ := evtRender.Call(0, event, evtRenderEventXML, uintptr(len(buf)*2), uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&used)), uintptr(unsafe.Pointer(&properties)))
	return windows.UTF16ToString(buf), ok != 0
}

// publishers are the sources whose sentences were asked for, by name; 0: it has none.
type publishers map[string]uintptr

// maxPublishers bounds those that are kept open.
const maxPublishers = 64

func (p publishers) close() {
	for name, h := range p {
		if h != 0 {
			_, _, _ = evtClose.Call(h)
		}
		delete(p, name)
	}
}

// render is the event with its sentence, or raw, as it is without.
func (p publishers) render(event uintptr, raw string) string {
	e, err := decodeEvent(raw)
	if err != nil || e.System.Provider.Name == "" {
		return raw
	}
	name := e.System.Provider.Name
	h, known := p[name]
	if !known {
		if len(p) >= maxPublishers {
			p.close()
		}
		if u, err := windows.UTF16PtrFromString(name); err == nil {
			h, _, _ = evtPublisher.Call(0, uintptr(unsafe.Pointer(u)), 0, 0, 0)
		}
		p[name] = h
	}
	if h == 0 {
		return raw
	}
	buf := make([]uint16, 8<<10)
	for {
		var used uint32 // characters
		ok, _, _ := evtFormat.Call(h, event, 0, 0, 0, evtFormatMessageXML, uintptr(len(buf)), uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&used)))
		switch {
		case ok != 0:
			return windows.UTF16ToString(buf)
		case int(used) <= len(buf) || used > maxEvent:
			return raw
		}
		buf = make([]uint16, used)
	}
}

// Classes of WTSQuerySessionInformationW (WTS_INFO_CLASS in wtsapi32.h).
const (
	wtsUserName        = 5
	wtsDomainName      = 7
	wtsClientName      = 10
	wtsClientAddress   = 14
	wtsIsRemoteSession = 29
)

// queryWTS asks what a desktop session is; what cannot be told is empty, and no
// session begins without a user.
func queryWTS(session uint32) wtsSession {
	s := wtsSession{user: wtsString(session, wtsUserName), domain: wtsString(session, wtsDomainName), client: wtsString(session, wtsClientName)}
	if b := wtsQuery(session, wtsIsRemoteSession); len(b) >= 1 {
		s.remote = b[0] != 0
	}
	s.address = wtsAddress(wtsQuery(session, wtsClientAddress))
	return s
}

func wtsString(session, class uint32) string {
	b := wtsQuery(session, class)
	if len(b) < 2 {
		return ""
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	return windows.UTF16ToString(u)
}

// wtsQuery is one answer, as bytes; nil: there is none.
func wtsQuery(session, class uint32) []byte {
	var buf *byte
	var n uint32
	if wtsQueryInfo.Find() != nil {
		return nil
	}
	const current = 0 // WTS_CURRENT_SERVER_HANDLE
	ok, _, _ := wtsQueryInfo.Call(current, uintptr(session), uintptr(class), uintptr(unsafe.Pointer(&buf)), uintptr(unsafe.Pointer(&n)))
	if ok == 0 || buf == nil {
		return nil
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(buf)))
	return slices.Clone(unsafe.Slice(buf, n))
}
