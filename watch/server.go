package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// A Server shows a run over HTTP: / is a page that follows it, /metrics is for
// Prometheus. It only tells; there is nothing to set.
type Server struct {
	Title   string
	History *History
	Tables  []Table // about the run and the machine
}

// Listen opens a TCP address such as 127.0.0.1:8080 or :0 for a Server. A page
// shows samples of the data: an address that other machines reach is refused
// unless anywhere is set. A missing host is this machine.
func Listen(addr string, anywhere bool) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("watch: %s: %w: give HOST:PORT", addr, err)
	}
	if host == "" && !anywhere {
		host = "127.0.0.1"
	}
	if !anywhere && !local(host) {
		return nil, fmt.Errorf("watch: %s: other machines could reach the page, which shows samples of the data: listen on 127.0.0.1 or ask for it explicitly", addr)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	return l, nil
}

// local reports whether a host is this machine alone.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Serve answers on l until ctx ends.
func (s Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s.handler(l.Addr()), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	stopped := context.AfterFunc(ctx, func() { server.Close() })
	defer stopped()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

func (s Server) handler(addr net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page("page.html"))
	mux.HandleFunc("GET /live", s.page("live"))
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s.History.view().prometheus(w)
	})
	host, _, _ := net.SplitHostPort(addr.String())
	if !local(host) {
		return mux
	}
	return ownName(mux)
}

// ownName refuses requests that a page of elsewhere sends by a name of its own
// that leads here.
func ownName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !local(host) {
			http.Error(w, "graft listens for this machine alone", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// page answers with a template.
func (s Server) page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
		pages.ExecuteTemplate(w, name, s.live()) // an error here is that of a reader who left
	}
}

// A livePage is what page.html shows.
type livePage struct {
	drawing
	Percent float64
	Samples []answered
}

func (s Server) live() livePage {
	v := s.History.view()
	p := livePage{drawing: v.drawing(s.Title, v.now(), s.Tables), Samples: v.answered()}
	if v.Last.Of > 0 {
		p.Percent = 100 * float64(v.Last.N) / float64(v.Last.Of)
	}
	return p
}

// An answered prompt is what the model made of it step after step.
type answered struct {
	Prompt  string
	Answers []Sample // newest first
}

// answered groups the samples by their prompts.
func (v view) answered() (list []answered) {
	at := map[string]int{}
	for _, s := range v.Samples {
		i, seen := at[s.Prompt]
		if !seen {
			i = len(list)
			at[s.Prompt] = i
			list = append(list, answered{Prompt: s.Prompt})
		}
		list[i].Answers = append(list[i].Answers, s)
	}
	return list
}

// now returns the numbers at the top of the live page.
func (v view) now() []Fact {
	s := v.Last
	list := []Fact{
		{"step", fmt.Sprintf("%d / %d", s.N, s.Of)},
		{"loss, smoothed", short4(s.Smoothed)},
	}
	if n := len(v.Evaluations); n > 0 {
		list = append(list, heldOut("held-out loss", v.Evaluations[n-1]))
	}
	list = append(list, Fact{"tokens a second", whole(float64(int(s.TokensPerSec)))})
	if s.Memory > 0 {
		list = append(list, Fact{"resident memory", bytes(float64(s.Memory))})
	}
	return append(list, Fact{"time in steps", clock(v.Spent)}, Fact{"left", clock(s.Left)})
}
