package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Sizes of a source's buffer. Larger ones are slower, since they leave the processor's
// cache. The first one holds the beginning of a file that waits for its turn.
const (
	firstBuffer = 4 << 10
	fullBuffer  = 64 << 10
)

// maxWindow bounds the memory that a zstd frame may ask for, as the zstd program does.
const maxWindow = 128 << 20

// A source hands out the bytes of a reader in pieces that the caller asks for.
type source struct {
	from  io.Reader
	done  func() // lets go of what decompresses
	buf   []byte
	a, b  int // buf[a:b] has been read and not handed out
	err   error
	taken int64 // bytes handed out
}

// next returns the next n bytes, valid until the next call. The error is io.EOF if there
// are none, and io.ErrUnexpectedEOF if there are fewer.
func (s *source) next(n int) ([]byte, error) {
	if s.b-s.a < n {
		if err := s.fill(n); err != nil {
			return nil, err
		}
	}
	b := s.buf[s.a : s.a+n : s.a+n]
	s.a += n
	s.taken += int64(n)
	return b, nil
}

// fill reads until n bytes are there. Its buffer grows with what has come, not with what
// was asked for.
func (s *source) fill(n int) error {
	for s.b-s.a < n {
		if s.err != nil {
			switch {
			case s.err != io.EOF && s.err != io.ErrUnexpectedEOF:
				return s.err
			case s.b > s.a || s.err == io.ErrUnexpectedEOF:
				return io.ErrUnexpectedEOF
			}
			return io.EOF
		}
		if s.a > 0 {
			s.b = copy(s.buf, s.buf[s.a:s.b])
			s.a = 0
		}
		if s.b == len(s.buf) || s.taken > 0 && len(s.buf) < fullBuffer {
			size := max(2*len(s.buf), firstBuffer)
			if s.taken > 0 {
				size = max(size, fullBuffer)
			}
			s.buf = append(make([]byte, 0, size), s.buf[:s.b]...)[:size]
		}
		s.read()
	}
	return nil
}

// read asks the reader once for more, or a few times if it has nothing to say.
func (s *source) read() {
	for range 100 {
		var n int
		n, s.err = s.from.Read(s.buf[s.b:])
		s.b += n
		if errors.Is(s.err, zstd.ErrWindowSizeExceeded) {
			s.err = fmt.Errorf("its zstd is damaged, or takes more than %d MB of memory; decompress it first: zstd -dc --long=31 FILE | linger inspect -", maxWindow>>20)
		}
		if n > 0 || s.err != nil {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// skip passes over n bytes.
func (s *source) skip(n int) error {
	for n > 0 {
		step := min(n, firstBuffer)
		if _, err := s.next(step); err != nil {
			return noEOF(err)
		}
		n -= step
	}
	return nil
}

// peek returns up to n bytes without taking them.
func (s *source) peek(n int) []byte {
	_ = s.fill(n) // fewer are no error here
	return s.buf[s.a:min(s.b, s.a+n)]
}

func (s *source) close() {
	if s.done != nil {
		s.done()
	}
	s.buf, s.from, s.done = nil, nil, nil
	s.a, s.b, s.err = 0, 0, io.EOF
}

// noEOF makes the end of input in the middle of something an error.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// decompress puts what decompresses before the reader, and says what that is.
func (s *source) decompress() (string, error) {
	head := s.peek(8)
	rest := io.MultiReader(bytes.NewReader(bytes.Clone(s.buf[s.a:s.b])), &remainder{s.from, s.err})
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(rest)
		if err != nil {
			return "", fmt.Errorf("its gzip cannot be read: %w", err)
		}
		*s = source{from: z}
		return "gzip", nil
	case len(head) >= 4 && (binary.LittleEndian.Uint32(head) == 0xfd2fb528 || binary.LittleEndian.Uint32(head)&^0xf == 0x184d2a50):
		z, err := zstd.NewReader(rest, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return "", fmt.Errorf("its zstd cannot be read: %w", err)
		}
		*s = source{from: z, done: z.Close}
		return "zstd", nil
	}
	return "", nil
}

// A remainder is a reader of which an error may already be known.
type remainder struct {
	from io.Reader
	err  error
}

func (r *remainder) Read(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	return r.from.Read(b)
}

// begin finds out what a file is, and reads its first head.
func (one *file) begin(f *Files) (err error) {
	if one.Compression, err = one.in.decompress(); err != nil {
		return err
	}
	head := one.in.peek(4)
	if err := one.in.err; len(head) < 4 && err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	switch {
	case len(head) == 0:
		return errors.New("it is empty: nothing was captured into it; tcpdump -w FILE writes a capture")
	case len(head) < 4:
		return foreign(head)
	}
	if binary.LittleEndian.Uint32(head) == blockSection {
		one.Format, one.read = "pcapng", (*Files).block
		return nil
	}
	return one.beginPcap(f, head)
}

// foreign is the error of what is no capture. It names what it may be.
func foreign(head []byte) error {
	for _, known := range []struct{ magic, what string }{
		{"snoop", "snoop's; make it a pcap with editcap -F pcap"},
		{"GMBU", "Network Monitor's; make it a pcap with editcap -F pcap"},
		{"RTSS", "Network Monitor's; make it a pcap with editcap -F pcap"},
		{"\xfd7zX", "compressed with xz; decompress it first: xz -dc FILE | linger inspect -"},
		{"BZh", "compressed with bzip2; decompress it first: bzip2 -dc FILE | linger inspect -"},
		{"\x04\x22\x4d\x18", "compressed with lz4; decompress it first: lz4 -dc FILE | linger inspect -"},
		{"PK\x03\x04", "a zip archive; unpack it first"},
	} {
		if bytes.HasPrefix(head, []byte(known.magic[:min(len(known.magic), 4)])) {
			return fmt.Errorf("it is no pcap or pcapng file, but %s", known.what)
		}
	}
	return errors.New("it is no pcap or pcapng file; write one with tcpdump -w FILE")
}
