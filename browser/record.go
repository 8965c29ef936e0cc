package browser

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// A record turns the events of the domain Network into a trace.
type record struct {
	trace   *trace.Trace
	wanted  map[string]int // exchanges by method and URL
	known   int            // exchanges of the workload
	asked   map[string]int // exchanges by the browser's ID of the request
	settled map[int]bool   // exchanges
	conns   map[string]int // connections by the browser's ID of them
	pending int            // requests that are under way
	// headed are those of them that are redirected: who asked does not follow them and sees
	// nothing of their bodies, so that their end is not always told.
	headed map[int]bool
	loaded bool                // the page says that it is
	offset linger.Opt[float64] // of the browser's clock from the time of day, in s
}

func newRecord(s linger.Scenario, places []Place) *record {
	r := &record{
		trace: &trace.Trace{
			Provenance: trace.Measured, Engine: "browser", Workload: s.Workload.Name, Strategy: s.Strategy.Name,
			Network: s.Network, Seed: s.Seed,
		},
		wanted: map[string]int{}, known: len(s.Workload.Exchanges),
		asked: map[string]int{}, settled: map[int]bool{}, headed: map[int]bool{}, conns: map[string]int{},
	}
	for i, e := range s.Workload.Exchanges {
		url := places[e.Origin].base(s.Workload.Scheme) + e.Path
		r.wanted[e.Method+" "+url] = i
		r.trace.Exchanges = append(r.trace.Exchanges, trace.Exchange{ID: i, Method: e.Method, URL: url, Connection: -1})
	}
	return r
}

// Events of the DevTools, as far as they are read here.
type (
	requestWillBeSent struct {
		RequestID string  `json:"requestId"`
		Timestamp float64 `json:"timestamp"` // s, of the browser's own clock
		WallTime  float64 `json:"wallTime"`  // s since 1970
		Request   struct {
			URL    string `json:"url"`
			Method string `json:"method"`
		} `json:"request"`
		// Redirect is the response that led from the request before, of the same ID, to this one.
		Redirect *struct{} `json:"redirectResponse"`
	}
	responseReceived struct {
		RequestID string `json:"requestId"`
		Response  struct {
			Status       int     `json:"status"`
			MimeType     string  `json:"mimeType"`
			ConnectionID float64 `json:"connectionId"`
			Reused       bool    `json:"connectionReused"`
			Address      string  `json:"remoteIPAddress"`
			Port         int     `json:"remotePort"`
			Protocol     string  `json:"protocol"`
			Cached       bool    `json:"fromDiskCache"`
			Timing       *timing `json:"timing"`
		} `json:"response"`
	}
	// timing is in ms since RequestTime, which is in s; -1 is what there was not.
	timing struct {
		RequestTime  float64 `json:"requestTime"`
		ConnectStart float64 `json:"connectStart"`
		ConnectEnd   float64 `json:"connectEnd"`
		SSLStart     float64 `json:"sslStart"`
		SendStart    float64 `json:"sendStart"`
		HeadStart    float64 `json:"receiveHeadersStart"`
		HeadEnd      float64 `json:"receiveHeadersEnd"`
	}
	extraInfo struct {
		RequestID   string `json:"requestId"`
		HeadersText string `json:"headersText"`
	}
	dataReceived struct {
		RequestID  string `json:"requestId"`
		DataLength int64  `json:"dataLength"`
	}
	loadingEnded struct {
		RequestID string  `json:"requestId"`
		Timestamp float64 `json:"timestamp"`
		ErrorText string  `json:"errorText"`
	}
)

// take notes one event.
func (r *record) take(m message) error {
	var err error
	switch m.Method {
	case "Network.requestWillBeSent":
		err = read(m, r.request)
	case "Network.responseReceived":
		err = read(m, r.response)
	case "Network.responseReceivedExtraInfo":
		err = read(m, func(e extraInfo) {
			if x := r.exchange(e.RequestID); x != nil {
				x.ResponseHead = int64(len(e.HeadersText))
			}
		})
	case "Network.dataReceived":
		err = read(m, func(e dataReceived) {
			if x := r.exchange(e.RequestID); x != nil {
				x.ResponseBody += e.DataLength
			}
		})
	case "Network.loadingFinished", "Network.loadingFailed":
		err = read(m, r.ended)
	case "Page.loadEventFired":
		r.loaded = true
	}
	if err != nil {
		return fmt.Errorf("the browser's %s cannot be read: %w", m.Method, err)
	}
	return nil
}

func read[T any](m message, take func(T)) error {
	var e T
	if err := json.Unmarshal(m.Params, &e); err != nil {
		return err
	}
	take(e)
	return nil
}

// exchange returns that of a request; nil is none.
func (r *record) exchange(id string) *trace.Exchange {
	if i, ok := r.asked[id]; ok {
		return &r.trace.Exchanges[i]
	}
	return nil
}

// at turns a time of the browser's clock, in s, into one of the trace.
func (r *record) at(timestamp float64) linger.Instant {
	return linger.Instant(math.Round((timestamp+r.offset.Or(0))*1e9 - float64(r.trace.Began.UnixMicro())*1e3))
}

func (r *record) request(e requestWillBeSent) {
	if !strings.HasPrefix(e.Request.URL, linger.SchemeHTTP) {
		return // data: and the like
	}
	if r.offset.IsZero() {
		r.offset = linger.Known(e.WallTime - e.Timestamp)
	}
	if before := r.exchange(e.RequestID); before != nil && e.Redirect != nil && !r.settled[before.ID] {
		// The lab's origins lead nowhere: it is the browser's own doing, as by its list of hosts
		// that are asked by https only (HSTS).
		before.Failed, before.Attempts = "the browser asks for "+e.Request.URL+" instead", 0
		r.settled[before.ID] = true
		r.pending--
	}
	i, ok := r.wanted[e.Request.Method+" "+e.Request.URL]
	if ok && r.trace.Exchanges[i].Attempts > 0 || !ok {
		i = len(r.trace.Exchanges)
		r.trace.Exchanges = append(r.trace.Exchanges, trace.Exchange{ID: i, Method: e.Request.Method, URL: e.Request.URL, Connection: -1})
	}
	x := &r.trace.Exchanges[i]
	x.Attempts, x.Queued = 1, max(0, r.at(e.Timestamp))
	r.asked[e.RequestID] = i
	r.pending++
}

func (r *record) response(e responseReceived) {
	x := r.exchange(e.RequestID)
	if x == nil {
		return
	}
	x.Status, x.ContentType = e.Response.Status, e.Response.MimeType
	t := e.Response.Timing
	if e.Response.Cached || t == nil {
		x.Attempts = 0
		return
	}
	since := func(ms float64) linger.Instant { return max(0, r.at(t.RequestTime+ms/1000)) }
	x.Sent = linger.Known(since(t.SendStart))
	x.FirstByte = linger.Known(since(t.HeadEnd))
	if t.HeadStart > 0 {
		x.FirstByte = linger.Known(since(t.HeadStart))
	}
	name := strconv.FormatFloat(e.Response.ConnectionID, 'f', -1, 64)
	i, ok := r.conns[name]
	if !ok {
		i = len(r.trace.Connections)
		r.conns[name] = i
		r.trace.Connections = append(r.trace.Connections, trace.Connection{
			ID: int64(i), Protocol: linger.Protocol(e.Response.Protocol), Dialled: x.Sent.Or(0),
			Server: net.JoinHostPort(e.Response.Address, strconv.Itoa(e.Response.Port)),
		})
	}
	k := &r.trace.Connections[i]
	k.Requests++
	x.Connection = int64(i)
	if x.Status >= 300 && x.Status < 400 && x.Status != 304 {
		r.headed[x.ID] = true
	}
	if t.ConnectStart < 0 || e.Response.Reused {
		return
	}
	k.Dialled = since(t.ConnectStart)
	k.Connected = linger.Known(since(t.ConnectEnd))
	switch {
	case k.Protocol.OverQUIC():
		k.Secured = k.Connected
	case t.SSLStart >= 0:
		k.Established, k.Secured = linger.Known(since(t.SSLStart)), k.Connected
	default:
		k.Established = k.Connected
	}
}

func (r *record) ended(e loadingEnded) {
	x := r.exchange(e.RequestID)
	if x == nil || r.settled[x.ID] {
		return
	}
	r.settled[x.ID] = true
	delete(r.headed, x.ID)
	r.pending--
	at := r.at(e.Timestamp)
	r.trace.Ended = max(r.trace.Ended, at)
	if e.ErrorText != "" {
		x.Failed = e.ErrorText
		return
	}
	x.Done = linger.Known(at)
}

// done reports whether everything of the workload has come or failed.
func (r *record) done() bool {
	if r.pending > 0 || !r.loaded {
		return false
	}
	for i := range r.known {
		if !r.settled[i] {
			return false
		}
	}
	return true
}

// finish returns the trace.
func (r *record) finish() *trace.Trace {
	for i := range r.trace.Exchanges {
		if x := &r.trace.Exchanges[i]; r.headed[i] {
			x.Done = x.FirstByte
			r.trace.Ended = max(r.trace.Ended, x.Done.Or(0))
		} else if !r.settled[i] && x.Failed == "" {
			x.Failed = "the browser did not ask for it"
			if x.Attempts > 0 {
				x.Failed = fmt.Sprintf("nothing more came of it for %v", stalled)
			}
		}
	}
	if r.trace.Ended == 0 {
		r.trace.Ended = linger.Instant(time.Since(r.trace.Began))
	}
	return r.trace
}
