package trace

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
)

// The parts of an HTTP Archive (HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/)
// that a trace can fill. Times are in milliseconds; -1 is what is not known, or does
// not apply.
type (
	harFile struct {
		Log harLog `json:"log"`
	}
	harLog struct {
		Version string       `json:"version"`
		Creator harCreator   `json:"creator"`
		Pages   []harPage    `json:"pages"`
		Entries []harEntry   `json:"entries"`
		Comment string       `json:"comment"`
		Linger  *harWorkload `json:"_linger,omitempty"`
	}
	harCreator struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	harPage struct {
		Started string `json:"startedDateTime"`
		ID      string `json:"id"`
		Title   string `json:"title"`
		Timings struct {
			Load float64 `json:"onLoad"`
		} `json:"pageTimings"`
	}
	harEntry struct {
		Page       string        `json:"pageref"`
		Started    string        `json:"startedDateTime"`
		Time       float64       `json:"time"`
		Request    harRequest    `json:"request"`
		Response   harResponse   `json:"response"`
		Cache      struct{}      `json:"cache"`
		Timings    harTimings    `json:"timings"`
		Server     string        `json:"serverIPAddress,omitempty"`
		Connection string        `json:"connection,omitempty"`
		Initiator  *harInitiator `json:"_initiator,omitempty"`
	}
	harRequest struct {
		Method      string     `json:"method"`
		URL         string     `json:"url"`
		Version     string     `json:"httpVersion"`
		Cookies     []struct{} `json:"cookies"`
		Headers     []struct{} `json:"headers"`
		Query       []harPair  `json:"queryString"`
		HeadersSize int64      `json:"headersSize"`
		BodySize    int64      `json:"bodySize"`
	}
	harResponse struct {
		Status      int        `json:"status"`
		Text        string     `json:"statusText"`
		Version     string     `json:"httpVersion"`
		Cookies     []struct{} `json:"cookies"`
		Headers     []struct{} `json:"headers"`
		Content     harContent `json:"content"`
		Redirect    string     `json:"redirectURL"`
		HeadersSize int64      `json:"headersSize"`
		BodySize    int64      `json:"bodySize"`
		Error       string     `json:"_error,omitempty"`
	}
	harContent struct {
		Size int64  `json:"size"`
		Type string `json:"mimeType"`
	}
	harPair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	harTimings struct {
		Blocked float64 `json:"blocked"`
		DNS     float64 `json:"dns"`
		Connect float64 `json:"connect"`
		TLS     float64 `json:"ssl"`
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
	harInitiator struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	// A harWorkload is the workload as a list, see linger.ParseList: a HAR has no place
	// for what was where in a page, and how long was waited on purpose.
	harWorkload struct {
		Workload string `json:"workload"`
		Scheme   string `json:"scheme"`
		List     string `json:"list"`
	}
)

// WriteHAR writes a trace of HTTP as a HAR, with the workload that it was made from,
// so that whoever reads it back has that again. Heads that came compressed, by
// HTTP/2 or HTTP/3, have no size in it, and no message its fields. version is this
// program's.
func WriteHAR(w io.Writer, t *Trace, fetched linger.Workload, version string) error {
	const page = "page_1"
	stamp := func(i linger.Instant) string {
		return t.Began.Add(time.Duration(i)).UTC().Format(time.RFC3339Nano)
	}
	var list bytes.Buffer
	if err := fetched.WriteList(&list); err != nil {
		return err
	}
	log := harLog{
		Version: "1.2", Creator: harCreator{"linger", version}, Entries: []harEntry{},
		Comment: strings.TrimSpace(fmt.Sprintf("%s by the engine %s, strategy %s, network %s", t.Provenance, t.Engine, t.Strategy, t.Network.Name)),
		Linger:  &harWorkload{fetched.Name, fetched.Scheme, list.String()},
	}
	p := harPage{Started: stamp(0), ID: page, Title: cmp.Or(t.Workload, "workload")}
	p.Timings.Load = millis(time.Duration(t.Ended))
	log.Pages = []harPage{p}

	connections := make(map[int64]Connection, len(t.Connections))
	for _, c := range t.Connections {
		connections[c.ID] = c
	}
	order := slices.Clone(t.Exchanges)
	slices.SortStableFunc(order, func(a, b Exchange) int { return cmp.Compare(a.Sent.Or(a.Queued), b.Sent.Or(b.Queued)) })
	opened := map[int64]int{} // the exchange that was the first on each connection
	for _, x := range order {
		if _, ok := opened[x.Connection]; !ok {
			opened[x.Connection] = x.ID
		}
	}
	urls := make(map[int]string, len(t.Exchanges))
	for _, x := range t.Exchanges {
		urls[x.ID] = linger.EscapeURL(x.URL)
	}
	slices.SortStableFunc(order, func(a, b Exchange) int { return cmp.Compare(a.Queued, b.Queued) })
	for _, x := range order {
		c, ok := connections[x.Connection]
		e := harEntry{Page: page, Started: stamp(x.Queued)}
		e.Timings = timings(x, c, ok && opened[x.Connection] == x.ID)
		for _, part := range []float64{e.Timings.Blocked, e.Timings.Connect, e.Timings.Send, e.Timings.Wait, e.Timings.Receive} {
			e.Time += max(0, part)
		}
		e.Time = math.Round(e.Time*1e3) / 1e3
		if ok {
			e.Connection = strconv.FormatInt(c.ID+1, 10) // 0 is none to some readers
			if a, err := netip.ParseAddrPort(c.Server); err == nil {
				e.Server = a.Addr().String()
			}
		}
		e.Request, e.Response = messages(x, c.Protocol)
		if x.ID < len(fetched.Exchanges) {
			if parent := fetched.Exchanges[x.ID].Parent; parent != linger.NoParent {
				kind := "other"
				if strings.HasPrefix(fetched.Exchanges[parent].ContentType, "text/html") {
					kind = "parser"
				}
				e.Initiator = &harInitiator{kind, urls[parent]}
			}
		}
		log.Entries = append(log.Entries, e)
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(harFile{log})
}

// timings divides an exchange's time. The handshakes of its connection belong to the
// first exchange on it, as far as that waited for them.
func timings(x Exchange, c Connection, first bool) harTimings {
	out := harTimings{Blocked: -1, DNS: -1, Connect: -1, TLS: -1}
	sent, ok := x.Sent.Get()
	if !ok {
		return out
	}
	waited := sent.Sub(x.Queued)
	if connected, ok := c.Connected.Get(); first && ok && connected > max(c.Dialled, x.Queued) {
		from := max(c.Dialled, x.Queued)
		connect := min(connected, sent).Sub(from)
		waited -= connect
		out.Connect = millis(connect)
		if secured, ok := c.Secured.Get(); ok {
			// QUIC's handshake is all TLS's. It is a part of connect, and with early data may
			// go on behind that.
			out.TLS = millis(max(0, min(secured, connected, sent).Sub(max(from, c.Established.Or(from)))))
		}
	}
	out.Blocked = millis(max(0, waited))
	begun, ok := x.FirstByte.Get()
	if !ok {
		return out
	}
	out.Wait = millis(begun.Sub(sent))
	if done, ok := x.Done.Get(); ok {
		out.Receive = millis(done.Sub(begun))
	}
	return out
}

// harVersions is what each protocol is called in a HAR.
var harVersions = map[linger.Protocol]string{
	linger.HTTP10: linger.HTTP10.Title(), linger.HTTP11: linger.HTTP11.Title(), linger.H2: string(linger.H2), linger.H3: string(linger.H3),
}

func messages(x Exchange, protocol linger.Protocol) (harRequest, harResponse) {
	version := cmp.Or(harVersions[protocol], "unknown")
	head := func(n int64) int64 {
		if !protocol.IsHTTP1() || n == 0 {
			return -1
		}
		return n
	}
	q := harRequest{
		Method: x.Method, URL: linger.EscapeURL(x.URL), Version: version,
		Cookies: []struct{}{}, Headers: []struct{}{}, Query: []harPair{},
		HeadersSize: head(x.RequestHead), BodySize: x.RequestBody,
	}
	if u, err := url.Parse(x.URL); err == nil && u.RawQuery != "" {
		for part := range strings.SplitSeq(u.RawQuery, "&") {
			name, value, _ := strings.Cut(part, "=")
			q.Query = append(q.Query, harPair{unescape(name), unescape(value)})
		}
	}
	r := harResponse{
		Status: x.Status, Text: linger.Reason(x.Status), Version: version,
		Cookies: []struct{}{}, Headers: []struct{}{},
		Content:  harContent{x.ResponseBody, cmp.Or(x.ContentType, "x-unknown")},
		Redirect: x.Redirect, HeadersSize: head(x.ResponseHead), BodySize: x.ResponseBody,
	}
	if x.Failed != "" {
		r.Status, r.Text, r.BodySize, r.HeadersSize, r.Error = 0, "", -1, -1, x.Failed
		r.Content.Size = 0
	}
	return q, r
}

func unescape(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	return s
}

// millis is d in milliseconds, to the microsecond.
func millis(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }
