package console

import (
	"io"
	"time"

	"linger/report/text"
)

// readingEvery is how often is drawn how far files have been read, at most.
const readingEvery = 200 * time.Millisecond

// A Reading shows how far files have been read.
type Reading struct {
	Screen
	title        string
	total, taken int64
	began, last  time.Time
}

// NewReading begins to count.
func NewReading(std Streams, title string) *Reading {
	now := time.Now()
	return &Reading{Screen: NewScreen(std, func() text.Options { return std.Layout(std.Err) }), title: title, began: now, last: now}
}

// Of counts what is read of an input.
func (r *Reading) Of(in *Input) io.Reader {
	if in.Info.Mode().IsRegular() {
		r.total += in.Info.Size()
	}
	return &counted{in, r}
}

type counted struct {
	io.Reader
	of *Reading
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.of.taken += int64(n)
	return n, err
}

// Tell draws how far it has come, some times a second. frames is how many packets there were.
func (r *Reading) Tell(frames int) {
	if !r.moves || frames%8192 != 0 {
		return
	}
	now := time.Now()
	if now.Sub(r.last) < readingEvery {
		return
	}
	r.last = now
	f := text.Files{Title: r.title, Taken: r.taken, Size: r.total, Frames: frames, Elapsed: now.Sub(r.began)}
	r.draw(f.Lines(r.layout(), r.rows()))
}
