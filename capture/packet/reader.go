package packet

import (
	"linger"
	"linger/capture/pcap"
)

// A Reader makes records of frames: New, Add for each frame in order of time, Finish. It
// is for one goroutine.
type Reader struct {
	options Options
	to      Sink
	sum     Summary
	err     error // the sink's first
}

// New returns a Reader that hands its records to a sink.
func New(o Options, to Sink) *Reader {
	if o.MaxTracked <= 0 {
		o.MaxTracked = DefaultTracked
	}
	return &Reader{options: o, to: to, sum: Summary{
		UnknownLinks: map[pcap.LinkType]int64{}, Connections: map[string]int64{}, Exchanges: map[string]int64{},
	}}
}

// Add takes in a frame. The error is the sink's, and the first one stays.
func (r *Reader) Add(f *pcap.Frame) error {
	r.sum.Frames++
	r.sum.Bytes += int64(f.Wire)
	r.sum.First = linger.Known(min(r.sum.First.Or(f.At), f.At))
	r.sum.Last = linger.Known(max(r.sum.Last.Or(f.At), f.At))
	return r.err
}

// Finish hands on what is open, and returns what there was.
func (r *Reader) Finish() Summary { return r.sum }
