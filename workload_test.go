package linger

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryWorkloadIsValid(t *testing.T) {
	for _, f := range Workloads() {
		for seed := range uint64(50) {
			w, err := ParseWorkload(f.Name, seed)
			if err != nil {
				t.Fatal(err)
			}
			if w.Name != f.Name || w.Description == "" || f.About == "" {
				t.Errorf("%s: named %q, described %q, listed as %q", f.Name, w.Name, w.Description, f.About)
			}
			if err := w.Validate(); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			again, _ := ParseWorkload(f.Name, seed)
			if !slices.Equal(w.Exchanges, again.Exchanges) {
				t.Errorf("%s: the same seed gives another workload", f.Name)
			}
		}
	}
	if _, err := ParseWorkload(DefaultWorkload, 1); err != nil {
		t.Error(err)
	}
}

func TestParseWorkloadExplains(t *testing.T) {
	for in, want := range map[string]string{
		"galery":               "did you mean gallery?",
		"micro":                "did you mean microscape?",
		"":                     "known: gallery, microscape, api, textbook, objects, dns (or a .har file",
		"gallery:3":            "gallery takes no number",
		"api:0":                "write 1 to 100, as in api:100",
		"api:101":              "write 1 to 100",
		"api:":                 `"" is not a number`,
		"textbook:41":          "write 1 to 40",
		"objects:0x5":          "write 1 to 1000 and 0 to 104857600, as in objects:40x14000",
		"objects:5":            "write 1 to 1000",
		"objects:1000000x1000": "write 1 to 1000",
	} {
		if _, err := ParseWorkload(in, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseWorkload(%q): %v; want it to say %q", in, err, want)
		}
	}
}

func TestGallery(t *testing.T) {
	distinct := map[int64]bool{}
	for seed := range uint64(200) {
		w := Gallery(seed)
		if len(w.Exchanges) != 41 {
			t.Fatalf("seed %d: %d exchanges; want 41", seed, len(w.Exchanges))
		}
		if page := w.Exchanges[0].ResponseBody; page != 42<<10 {
			t.Errorf("seed %d: a page of %d bytes", seed, page)
		}
		for i, e := range w.Exchanges[1:] {
			if e.ResponseBody < 3<<10 || e.ResponseBody > 60<<10 {
				t.Errorf("seed %d: image %d has %d bytes; want 3 to 60 KB", seed, i+1, e.ResponseBody)
			}
		}
		if kb := float64(w.Bytes()) / 1024; kb < 600*0.97 || kb > 600*1.03 {
			t.Errorf("seed %d: %.0f KB in all; want 600 within 3 %%", seed, kb)
		}
		distinct[w.Bytes()] = true
	}
	if len(distinct) < 150 {
		t.Errorf("200 seeds give %d sums: the seed hardly matters", len(distinct))
	}
}

// The aggregates are those of https://www.w3.org/Protocols/HTTP/Performance/microscape/.
func TestMicroscapeMeetsThePublishedAggregates(t *testing.T) {
	w := Microscape()
	gifs := w.Exchanges[1:]
	if len(gifs) != 42 || w.Exchanges[0].ResponseBody != 42<<10 {
		t.Errorf("%d GIFs and %d bytes of HTML; want 42 and 42 KB", len(gifs), w.Exchanges[0].ResponseBody)
	}
	var sizes []int64
	var sum int64
	below := map[int64]int{} // by whole KB
	for _, e := range gifs {
		sizes = append(sizes, e.ResponseBody)
		sum += e.ResponseBody
		below[e.ResponseBody>>10]++
	}
	if slices.Min(sizes) != 70 || slices.Max(sizes) != 40<<10 || (sum+512)>>10 != 125 {
		t.Errorf("GIFs of %d to %d bytes, %d in all; want 70 to 40 KB, 125 KB", slices.Min(sizes), slices.Max(sizes), sum)
	}
	if below[0] != 19 || below[1] != 7 || below[2] != 6 {
		t.Errorf("%d below 1 KB, %d below 2 KB, %d below 3 KB; want 19, 7, 6", below[0], below[1], below[2])
	}
}

func TestAPIKeepsSoManyCallsGoing(t *testing.T) {
	for spelled, chains := range map[string]int{"api": 1, "api:1": 1, "api:7": 7, "api:10": 10, "api:100": 100} {
		w, err := ParseWorkload(spelled, 1)
		if err != nil {
			t.Fatal(err)
		}
		w = w.WithThink(50 * time.Millisecond)
		roots, children := 0, map[int]int{}
		for _, e := range w.Exchanges {
			if e.Parent == NoParent {
				roots++
				if e.Think != 0 {
					t.Errorf("%s: the first call waits", spelled)
				}
				continue
			}
			children[e.Parent]++
			if e.At != 1<<10 || e.Think != 50*time.Millisecond {
				t.Errorf("%s: %+v does not wait for the answer before it, and then 50 ms", spelled, e)
			}
		}
		if roots != chains || len(w.Exchanges) != 100 || w.Bytes() != 100<<10 {
			t.Errorf("%s: %d chains, %d calls, %d bytes", spelled, roots, len(w.Exchanges), w.Bytes())
		}
		for parent, n := range children {
			if n != 1 {
				t.Errorf("%s: %d calls follow call %d", spelled, n, parent+1)
			}
		}
	}
}

func TestWithThinkLeavesTheOriginalAlone(t *testing.T) {
	w := API(1)
	w.WithThink(time.Second)
	if w.Exchanges[1].Think != 0 {
		t.Error("the wait was written into the original")
	}
}

func TestTextbookFitsIntoSegments(t *testing.T) {
	const segment, head = 1460, 260 // what Ethernet leaves to TCP; room for a response's head
	for n := range 40 {
		for i, e := range Textbook(n + 1).Exchanges {
			if e.ResponseBody+head > segment {
				t.Errorf("textbook:%d: object %d has %d bytes", n+1, i, e.ResponseBody)
			}
		}
	}
}

func TestObjects(t *testing.T) {
	for _, c := range []struct{ html, n, size int }{{1200, 40, 1000}, {12500, 10, 12500}, {10, 3, 0}, {0, 2, 1}, {1000, 0, 0}, {1 << 20, 2000, 1}} {
		w := Objects(c.html, c.n, c.size)
		if err := w.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if got, want := w.Bytes(), int64(c.html+c.n*c.size); got != want || len(w.Exchanges) != c.n+1 {
			t.Errorf("%+v: %d exchanges of %d bytes; want %d bytes", c, len(w.Exchanges), got, want)
		}
	}
}

func TestValidateNamesTheFirstBadExchange(t *testing.T) {
	for _, c := range []struct {
		what  string
		spoil func(*Workload)
		want  string
	}{
		{"nothing", func(w *Workload) { w.Exchanges = nil }, "fetches nothing"},
		{"too much", func(w *Workload) { w.Exchanges = make([]Exchange, MaxExchanges+1) }, "at most 20000"},
		{"method", func(w *Workload) { w.Exchanges[1].Method = "GE T" }, "not an HTTP token"},
		{"no method", func(w *Workload) { w.Exchanges[1].Method = "" }, "not an HTTP token"},
		{"path", func(w *Workload) { w.Exchanges[1].Path = "a" }, "must begin with /"},
		{"path with a blank", func(w *Workload) { w.Exchanges[1].Path = "/a b" }, "must begin with /"},
		{"path with a line end", func(w *Workload) { w.Exchanges[1].Path = "/a\r\nx" }, "must begin with /"},
		{"status", func(w *Workload) { w.Exchanges[1].Status = 101 }, "200 to 599"},
		{"negative body", func(w *Workload) { w.Exchanges[1].ResponseBody = -1 }, "a body of"},
		{"huge body", func(w *Workload) { w.Exchanges[1].ResponseBody = MaxBody + 1 }, "a body of"},
		{"negative request", func(w *Workload) { w.Exchanges[1].RequestBody = -1 }, "a body of"},
		{"content of HEAD", func(w *Workload) { w.Exchanges[1].Method = "HEAD" }, "carries no content"},
		{"content of 304", func(w *Workload) { w.Exchanges[1].Status = 304 }, "carries no content"},
		{"huge head", func(w *Workload) { w.Exchanges[1].ResponseHead = MaxHead + 1 }, "heads of"},
		{"content type", func(w *Workload) { w.Exchanges[1].ContentType = "a\r\nSet-Cookie: b" }, "content type"},
		{"wait", func(w *Workload) { w.Exchanges[1].Think = -1 }, "a wait of"},
		{"parent behind", func(w *Workload) { w.Exchanges[1].Parent = 1 }, "parent must come before"},
		{"negative parent", func(w *Workload) { w.Exchanges[1].Parent = -2 }, "parent must come before"},
		{"place in no parent", func(w *Workload) { w.Exchanges[1].Parent = NoParent }, "of no parent"},
		{"place behind the parent", func(w *Workload) { w.Exchanges[1].At = 1 << 20 }, "of a parent of 1200 bytes"},
		{"twice", func(w *Workload) { w.Exchanges[2].Path = "/1" }, "GET /1 is exchange 2 already"},
	} {
		w := Objects(1200, 3, 1000)
		c.spoil(&w)
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want it to say %q", c.what, err, c.want)
		}
	}
}

func TestIdempotent(t *testing.T) {
	for method, want := range map[string]bool{
		"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "PUT": true, "DELETE": true,
		"POST": false, "PATCH": false, "get": false, "": false,
	} {
		if got := (Exchange{Method: method}).Idempotent(); got != want {
			t.Errorf("%s: %v", method, got)
		}
	}
}

func TestTheDocumentIsTrue(t *testing.T) {
	b, err := os.ReadFile("docs/workloads.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for _, f := range Workloads() {
		if row := "| `" + f.Name + "` | " + f.About + " |"; !strings.Contains(doc, row) {
			t.Errorf("docs/workloads.md lacks the row %s", row)
		}
	}
	for _, o := range listOptions {
		if !strings.Contains(doc, "| `"+o+"=") {
			t.Errorf("docs/workloads.md lacks the option %s", o)
		}
	}
	_, list, _ := strings.Cut(doc, "\n```\n")
	list, _, _ = strings.Cut(list, "```")
	w, err := ParseList("doc", strings.NewReader(list))
	if err != nil || len(w.Exchanges) != 4 {
		t.Errorf("its list: %d exchanges, %v", len(w.Exchanges), err)
	}
}
