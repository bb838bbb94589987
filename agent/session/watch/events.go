package watch

import (
	"encoding/xml"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
)

// The tools that the event log of Windows tells of.
const (
	ToolSplashtop     = "splashtop"
	ToolScreenConnect = "screenconnect"
	ToolRDP           = "rdp"
)

var (
	splashtopFacts     = facts{hears: []string{"begin", "end", "e-mail and device", "names of transferred files"}, missing: "the desktop: every unlocked one is asked"}
	screenConnectFacts = facts{hears: []string{"begin", "end", "user", "names of transferred files"}, missing: "the desktop: every unlocked one is asked"}
	rdpFacts           = facts{hears: []string{"begin", "left", "end", "client and address", "account"}, missing: "drives and the clipboard"}
)

// EventQuery is a channel of the event log, and the events in it that count, in
// the event log's XPath.
type EventQuery struct {
	Channel, Query string
	// Text: with the sentence that the event's source has for it.
	Text bool
}

// eventQueries are all that are read. Numbers and fields: the maps with sample
// events in EricZimmerman/evtx (evtx/Maps); for Chrome Remote Desktop
// remoting/host/host_event_logger_win.cc and its messages in chromium/chromium.
var eventQueries = []EventQuery{
	{Channel: rdpChannel, Query: "*[System[EventID=21 or EventID=23 or EventID=24 or EventID=25 or EventID=40]]"},
	{Channel: splashtopChannel, Query: "*[System[EventID=1000 or EventID=1001 or EventID=1100 or EventID=1110]]"},
	{Channel: classicChannel, Query: "*[System[EventID=0 or EventID=1 or EventID=2 or EventID=5 or EventID=30 or EventID=100 or EventID=101 or EventID=201]]"},
}

const (
	rdpChannel       = "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"
	splashtopChannel = "Splashtop-Splashtop Streamer-Remote Session/Operational"
	classicChannel   = "Application"
)

// maxEvent is the largest event that is read, in bytes of XML.
const maxEvent = 64 << 10

// winEvent is an event as the system renders it in XML (EvtRender,
// EvtRenderEventXml).
type winEvent struct {
	System struct {
		Provider struct {
			Name            string `xml:"Name,attr"`
			EventSourceName string `xml:"EventSourceName,attr"`
		}
		EventID     int
		TimeCreated struct {
			SystemTime string `xml:"SystemTime,attr"` // RFC 3339, UTC
		}
		Channel string
	}
	EventData struct {
		Data []struct {
			Name string `xml:"Name,attr"`
			Text string `xml:",chardata"`
		}
	}
	UserData struct {
		Any struct {
			Fields []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		} `xml:",any"`
	}
	RenderingInfo struct{ Message string } // where the text was asked for
	at            time.Time
}

// Logged is what one event of the log says, for whoever reads it.
type Logged struct {
	At     time.Time // UTC
	Source string
	Number int    // which of the source's events
	Text   string // its sentence, or the values that would be put into it; may be empty
}

// DecodeEvent reads one event, as FollowEvents gives it.
func DecodeEvent(raw string) (Logged, error) {
	e, err := decodeEvent(raw)
	if err != nil {
		return Logged{}, err
	}
	l := Logged{At: e.at, Source: e.System.Provider.Name, Number: e.System.EventID, Text: strings.TrimSpace(e.RenderingInfo.Message)}
	if l.Source == "" {
		l.Source = e.System.Provider.EventSourceName
	}
	if l.Text == "" {
		var values []string
		for _, d := range e.EventData.Data {
			if v := strings.TrimSpace(d.Text); v != "" {
				values = append(values, v)
			}
		}
		l.Text = strings.Join(values, "; ")
	}
	return l, nil
}

var errEvent = errors.New("not an event")

// decodeEvent reads one event.
func decodeEvent(raw string) (*winEvent, error) {
	if len(raw) > maxEvent {
		return nil, errEvent
	}
	var e winEvent
	if err := xml.Unmarshal([]byte(raw), &e); err != nil {
		return nil, errEvent
	}
	at, err := time.Parse(time.RFC3339Nano, e.System.TimeCreated.SystemTime)
	if err != nil {
		return nil, errEvent
	}
	e.at = at.UTC()
	return &e, nil
}

// field is a value of the event by its name, as either form has it.
func (e *winEvent) field(name string) string {
	for _, d := range e.EventData.Data {
		if d.Name == name {
			return strings.TrimSpace(d.Text)
		}
	}
	for _, f := range e.UserData.Any.Fields {
		if f.XMLName.Local == name {
			return strings.TrimSpace(f.Text)
		}
	}
	return ""
}

// text is the first value of an event whose values have no names.
func (e *winEvent) text() string {
	if len(e.EventData.Data) == 0 {
		return ""
	}
	return strings.TrimSpace(e.EventData.Data[0].Text)
}

// Any program may write to the channel Application under any name. So many
// sessions within this time may begin by its word: nobody is to be worn down by
// questions.
const (
	maxClassic    = 10
	classicWithin = 10 * time.Minute
)

// calmed begins sessions only while there were not too many.
type calmed struct {
	Sink
	recent []time.Time
	begun  map[string]bool
}

func (c *calmed) Begin(f Found) {
	now := f.StartedAt
	c.recent = slices.DeleteFunc(c.recent, func(t time.Time) bool { return now.Sub(t) > classicWithin })
	if len(c.recent) >= maxClassic {
		return
	}
	c.recent = append(c.recent, now)
	c.begun[f.Tool+"/"+f.ID] = true
	c.Sink.Begin(f)
}

func (c *calmed) Event(tool, id string, kind event.Kind, fields map[string]string) {
	if c.begun[tool+"/"+id] {
		c.Sink.Event(tool, id, kind, fields)
	}
}

func (c *calmed) End(tool, id, reason string) {
	if c.begun[tool+"/"+id] {
		delete(c.begun, tool+"/"+id)
		c.Sink.End(tool, id, reason)
	}
}

// winEvents turns events into sessions.
type winEvents struct {
	tools         map[string]bool
	rdp           *rdp
	chrome        chrome
	splashtop     keyed
	screenConnect keyed
}

func newWinEvents(s Sink, tools []string) *winEvents {
	classic := &calmed{Sink: s, begun: map[string]bool{}}
	w := &winEvents{tools: map[string]bool{}, rdp: newRDP(s), chrome: chrome{sink: classic},
		splashtop: keyed{sink: s, tool: ToolSplashtop}, screenConnect: keyed{sink: classic, tool: ToolScreenConnect}}
	for _, t := range tools {
		w.tools[t] = true
	}
	return w
}

// event takes one event; now is when it was read.
func (w *winEvents) event(raw string, now time.Time) {
	e, err := decodeEvent(raw)
	if err != nil {
		return
	}
	e.at = earlier(e.at, now)
	switch provider := e.System.Provider.Name; {
	case e.System.Channel == rdpChannel && w.tools[ToolRDP]:
		w.rdp.event(e)
	case e.System.Channel == splashtopChannel && w.tools[ToolSplashtop]:
		w.ofSplashtop(e)
	case e.System.Channel != classicChannel:
	case isScreenConnect(provider) && w.tools[ToolScreenConnect]:
		w.ofScreenConnect(e)
	case strings.Contains(provider+" "+e.System.Provider.EventSourceName, chromeIdent) && w.tools[ToolChrome]:
		// The numbers of chromium's messages, and the texts of its other systems.
		if what := map[int]string{1: "Client connected", 2: "Client disconnected", 5: "Host started for user"}[e.System.EventID]; what != "" {
			w.chrome.message(0, 0, what+": "+e.text(), e.at, false)
		}
	}
}

// ofSplashtop: 1000 has the supporter's address in SPID and the name of their
// device in SRC_Name; 1001 the same Session_ID.
func (w *winEvents) ofSplashtop(e *winEvent) {
	switch id := e.field("Session_ID"); e.System.EventID {
	case 1000:
		who := e.field("SPID")
		if who == "" {
			who = e.field("SRC_Name")
		}
		w.splashtop.begin(id, who, e.at)
	case 1001:
		w.splashtop.end(id)
	case 1100, 1110: // a file was transferred; 1101 and 1111 say that one was not
		if name := e.field("File_Name"); name != "" {
			w.splashtop.event(id, event.FileTransferred, map[string]string{"name": name})
		}
	}
}

// screenConnectOver begins the text of the event that the host has ended the
// session; screenConnectSent that of files that were transferred, with what was
// done with them then. The same numbers have other texts, too.
const (
	screenConnectOver = "Your host has ended the remote session"
	screenConnectSent = "Transferred files with action '"
	// maxSentFiles is how many files of one event are told.
	maxSentFiles = 20
)

// isScreenConnect: the source is "ScreenConnect", or the client with the key of its
// company, "ScreenConnect Client (0123456789abcdef)" (Hunt & Hackett, "REvil: the
// usage of legitimate remote admin tooling").
func isScreenConnect(provider string) bool {
	const client = "ScreenConnect Client ("
	return strings.EqualFold(provider, "ScreenConnect") || len(provider) > len(client) && strings.EqualFold(provider[:len(client)], client)
}

// ofScreenConnect: the text's first line says what, its others version and path of
// the client. A computer may have clients of several companies. The numbers differ by
// version (0, 1, or one for each text), so that the text alone counts.
func (w *winEvents) ofScreenConnect(e *winEvent) {
	first, rest, _ := strings.Cut(e.text(), "\n")
	first = strings.TrimSpace(first)
	before, path, _ := strings.Cut(rest, "Executable Path: ")
	path, _, _ = strings.Cut(path, "\n")
	path = strings.TrimSpace(path)
	if path == "" {
		path = e.System.Provider.Name // older ones leave it out; the source has the same key
	}
	if who, ok := strings.CutSuffix(first, " Connected"); ok && who != "" {
		w.screenConnect.begin(path+"|"+who, who, e.at)
	} else if who, ok := strings.CutSuffix(first, " Disconnected"); ok {
		w.screenConnect.end(path + "|" + who)
	} else if strings.HasPrefix(first, screenConnectOver) {
		w.screenConnect.endAll(path + "|")
	} else if action, ok := strings.CutPrefix(first, screenConnectSent); ok {
		action, names, _ := strings.Cut(action, "':")
		files, _, _ := strings.Cut(strings.TrimSpace(names)+"\n"+before, "Version: ")
		w.screenConnectFiles(path+"|", action, files)
	}
}

// screenConnectFiles tells of transferred files, a name on each line, where it is
// certain whose session it was. What was run on arrival has come to this computer.
func (w *winEvents) screenConnectFiles(client, action, files string) {
	key, ok := w.screenConnect.only(client)
	if !ok {
		return
	}
	n := 0
	for name := range strings.Lines(files) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if n++; n > maxSentFiles {
			return
		}
		f := map[string]string{"name": name}
		if strings.HasPrefix(action, "Run") {
			f["direction"] = "to-computer"
		}
		w.screenConnect.event(key, event.FileTransferred, f)
	}
}

// keyed keeps the sessions of a tool whose events name each by a key of its own,
// which may come again.
type keyed struct {
	sink Sink
	tool string
	open []keyedSession // oldest first
}

type keyedSession struct{ key, id string }

// maxKey bounds a key, in bytes.
const maxKey = 1024

func (k *keyed) begin(key, who string, at time.Time) {
	if key == "" || len(key) > maxKey {
		return
	}
	s := keyedSession{key, strconv.FormatInt(at.UnixNano(), 10)}
	for _, o := range k.open {
		if o.key == key || o.id == s.id {
			return
		}
	}
	if len(k.open) >= maxOpen {
		k.end(k.open[0].key)
	}
	k.open = append(k.open, s)
	k.sink.Begin(Found{Tool: k.tool, ID: s.id, Supporter: who, StartedAt: at})
}

// only is the key of the one session whose key begins with prefix, if there is one.
func (k *keyed) only(prefix string) (key string, ok bool) {
	for _, o := range k.open {
		if strings.HasPrefix(o.key, prefix) {
			if ok {
				return "", false
			}
			key, ok = o.key, true
		}
	}
	return key, ok
}

func (k *keyed) event(key string, kind event.Kind, fields map[string]string) {
	for _, o := range k.open {
		if o.key == key {
			k.sink.Event(k.tool, o.id, kind, fields)
		}
	}
}

func (k *keyed) end(key string) {
	for i, o := range k.open {
		if o.key == key {
			k.open = append(k.open[:i:i], k.open[i+1:]...)
			k.sink.End(k.tool, o.id, Left)
			return
		}
	}
}

func (k *keyed) endAll(prefix string) {
	for _, o := range slices.Clone(k.open) {
		if strings.HasPrefix(o.key, prefix) {
			k.end(o.key)
		}
	}
}
