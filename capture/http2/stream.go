package http2

import (
	"time"

	"linger"
	"linger/capture/talk"
	"linger/trace"
)

// A stream is an exchange that has not ended.
type stream struct {
	trace.Exchange
	id       uint32
	whole    bool    // the request has ended
	answered bool    // the head of the response has come
	torn     [2]bool // frames of a side were lost while it was open
	unread   bool    // counted in Unread
	sends    [2]sends
	blocked  time.Duration
	content  talk.Content
}

// sends is what one side sends on a stream.
type sends struct {
	window int64
	shut   shut
	begun  bool          // DATA has come
	before time.Duration // flow.total then
}

// body counts content of DATA, and what else is in the frame.
func (x *stream) body(from talk.Side, n, rest int64) {
	if from == talk.Client {
		x.RequestBody += n
		x.RequestHead += rest
	} else {
		x.ResponseBody += n
		x.ResponseHead += rest
	}
}

// place returns where a stream is, or would be, among those that are open.
func (c *Conversation) place(id uint32) int {
	i := len(c.open)
	for step := 0; i > 0 && c.open[i-1].id >= id; i-- {
		if step++; step == 8 {
			break
		}
	}
	if i == 0 || c.open[i-1].id < id {
		return i
	}
	low, high := 0, i
	for low < high {
		if mid := (low + high) / 2; c.open[mid].id < id {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// stream returns the one that is open and has an identifier, nil if none has.
func (c *Conversation) stream(id uint32) *stream {
	if i := c.place(id); i < len(c.open) && c.open[i].id == id {
		return c.open[i]
	}
	return nil
}

// begins returns a stream that begins.
func (c *Conversation) begins(id uint32) *stream {
	if len(c.open) >= maxStreams || len(c.open) >= fewStreams && c.Shared.Full() {
		c.open[0].Failed = talk.NotCaptured
		c.drop(c.open[0])
	}
	var x *stream
	if n := len(c.free); n > 0 {
		x, c.free = c.free[n-1], c.free[:n-1]
		*x = stream{}
	} else {
		x = &stream{}
	}
	x.id, x.Connection, x.Attempts = id, c.Connection, 1
	x.Stream = linger.Known(int64(id))
	for side := range x.sends {
		x.sends[side].window = c.side[side].flow.first
	}
	c.Shared.Hold(streamBytes)
	i := c.place(id)
	c.open = append(c.open, nil)
	copy(c.open[i+1:], c.open[i:])
	c.open[i] = x
	if id > c.highest {
		c.highest = id
	}
	return x
}

// Adopt takes over an exchange that HTTP/1.1 has begun with Upgrade: h2c, as stream 1 (RFC 7540,
// 3.2). Its request is whole.
func (c *Conversation) Adopt(x *trace.Exchange) {
	c.Began = true
	c.start()
	s := c.begins(1)
	stream := s.Stream
	s.Exchange = *x
	s.Stream, s.Known, s.whole = stream, "", true
	c.holdURL(len(s.URL))
}

// fresh reports whether a stream may be one that was not heard of, since what opened it was not
// captured.
func (c *Conversation) fresh(id uint32) bool {
	if !c.holes || id&1 == 0 {
		return false
	}
	for _, old := range c.recent[:min(c.ended, recents)] {
		if old == id {
			return false
		}
	}
	return true
}

// end ends the message of a side.
func (c *Conversation) end(from talk.Side, x *stream, m talk.Mark) {
	if from == talk.Client {
		x.whole = true
		if !x.answered {
			x.Frames.Last, x.Frames.LastFile = m.Frame, m.File
		}
	} else {
		c.finish(x, m)
	}
	if x.whole && !x.Done.IsZero() {
		c.drop(x)
	}
}

// finish takes in that the response has come to its end.
func (c *Conversation) finish(x *stream, m talk.Mark) {
	x.Done = linger.Known(m.At)
	x.Frames.Last, x.Frames.LastFile = m.Frame, m.File
	x.AnswerFrames.Last, x.AnswerFrames.LastFile = m.Frame, m.File
}

// reset takes in RST_STREAM. "A server MAY request that the client abort transmission of a
// request without error by sending a RST_STREAM with an error code of NO_ERROR after sending a
// complete response" (RFC 9113, 8.1); and a client that has all it wants may do so.
func (c *Conversation) reset(from talk.Side, x *stream, code uint32, m talk.Mark) {
	if x.Done.IsZero() {
		x.Failed = errorName(code) + " by " + string(from.Peer())
		x.Dropped = linger.Known(m.At)
		x.Frames.Last, x.Frames.LastFile = m.Frame, m.File
		if x.answered {
			x.AnswerFrames.Last, x.AnswerFrames.LastFile = m.Frame, m.File
		}
	}
	c.drop(x)
}

// holdURL counts n bytes more of the URLs of open streams.
func (c *Conversation) holdURL(n int) {
	c.urls += n
	c.Shared.Hold(n)
}

// drop hands an exchange on as it is.
func (c *Conversation) drop(x *stream) {
	if i := c.place(x.id); i == 0 { // as each of them at the end
		c.open[0] = nil
		c.open = c.open[1:]
	} else {
		c.open = append(c.open[:i], c.open[i+1:]...)
	}
	c.holdURL(-len(x.URL))
	c.Shared.Hold(-streamBytes)
	c.recent[c.ended%recents] = x.id
	c.ended++
	if x.torn[talk.Client] || x.torn[talk.Server] {
		x.Known = trace.Inferred // of what size
	}
	if x.Known == "" && c.Known != trace.Seen {
		x.Known = c.Known
	}
	if !c.doubt && (x.sends[talk.Client].begun || x.sends[talk.Server].begun) {
		x.Blocked = linger.Known(x.blocked)
	}
	if x.unread {
		c.Unread++
	}
	c.last = c.Shared.Hand(linger.H2, &x.Exchange, &x.content)
	c.free = append(c.free, x)
}

// End says that nothing more comes from a side, and why (talk.Cut, Reset, StillGoing). Of what
// Data had no use for, left bytes did not come; last is where the last one was that came.
func (c *Conversation) End(from talk.Side, why string, left int64, last talk.Mark) {
	c.start()
	r := &c.side[from]
	if r.state == passed && left == 0 {
		c.done(from, last) // the last of it was missing
	}
	if r.state == over {
		return
	}
	if x := c.stream(r.frame.stream); x != nil && r.frame.kind == frameData && (r.state == passed || r.state == rest || r.state == keeping) {
		missing := left
		if r.state != passed {
			missing = int64(r.left + r.padded)
		}
		x.body(from, -max(0, missing-int64(r.padded)), 0)
	}
	if r.state == payload && len(r.buf) > 0 {
		r.frame.flags &^= flagEnd
		r.frame.length = len(r.buf)
		c.part(from, last)
	}
	r.state = over
	for _, x := range c.open {
		switch {
		case !x.Done.IsZero() || x.Failed != "":
		case from == talk.Server && x.answered:
			x.Failed = why
		case from == talk.Client && !x.whole:
			x.Failed = why
			if why == talk.Cut {
				x.Failed = talk.CutRequest
			}
		}
	}
}

// Close says that both sides have come to their end. What is open is handed on, with the reason
// for what was not answered.
func (c *Conversation) Close(why string) {
	g, away := c.GoAway.Get()
	for len(c.open) > 0 {
		x := c.open[0]
		switch {
		case !x.Done.IsZero():
			x.Failed = ""
		case !x.answered && away && g.By == trace.AtServer && int64(x.id) > g.Last:
			x.Failed = notTaken
		case x.torn[talk.Server]:
			x.Failed = talk.NotCaptured
		case x.Failed == "":
			x.Failed = why
		}
		c.drop(x)
	}
}

// notTaken is why a request was not answered that a GOAWAY says was not taken: it "can be
// retried" (RFC 9113, 6.8).
const notTaken = "not taken: GOAWAY"

// Waiting reports whether a request has not been answered in full.
func (c *Conversation) Waiting() bool { return len(c.open) > 0 }
