#include "consumer/page_frame.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "consumer/html.h"

static const char style[] =
    ":root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16191d;--dim:#59616b;--line:#d5dae0;--well:#137333;--well-bg:#e3f4e7;--waits:#8a5300;--waits-bg:#fff1d6;"
    "--bad:#b3261e;--bad-bg:#fde5e3;--link:#0b57d0}"
    "@media(prefers-color-scheme:dark){:root{--page:#111418;--card:#1b1f25;--ink:#e8eaed;--dim:#a2abb6;--line:#343b44;--well:#7bd88f;--well-bg:#15301d;--waits:#ffc35c;"
    "--waits-bg:#3a2a0a;--bad:#ff9b93;--bad-bg:#451a17;--link:#8ab4f8}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--ink);font:16px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "main,header,footer{max-width:76rem;margin:0 auto;padding:0 1rem}"
    "header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center;justify-content:space-between;padding-top:.75rem;padding-bottom:.75rem}"
    "header a.home{font-weight:600;color:var(--ink);text-decoration:none}"
    "a{color:var(--link)}"
    "h1{font-size:1.6rem;line-height:1.2;margin:0}h2{font-size:1.1rem;margin:2rem 0 .6rem}h3{font-size:1rem;margin:0}"
    "p{margin:.3rem 0}.dim{color:var(--dim)}small,.small{font-size:.875rem}"
    "form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:0}"
    "input,button{font:inherit;padding:.4rem .6rem;border:1px solid var(--line);border-radius:.4rem;background:var(--card);color:var(--ink);min-width:0}"
    "input{flex:1 1 11rem}button{cursor:pointer;font-weight:600}"
    ".banner{border-radius:.7rem;padding:1rem 1.2rem;border-left:.5rem solid var(--line);background:var(--card)}"
    ".banner.well{background:var(--well-bg);border-color:var(--well)}.banner.waits{background:var(--waits-bg);border-color:var(--waits)}"
    ".banner.bad{background:var(--bad-bg);border-color:var(--bad)}"
    ".well h1,b.well,td.well{color:var(--well)}.waits h1,b.waits,td.waits{color:var(--waits)}.bad h1,b.bad,td.bad{color:var(--bad)}"
    ".card{background:var(--card);border:1px solid var(--line);border-left:.35rem solid var(--line);border-radius:.5rem;padding:.7rem .9rem;margin:.6rem 0;overflow-wrap:anywhere}"
    ".card.bad{border-left-color:var(--bad)}.card.waits{border-left-color:var(--waits)}.card.well{border-left-color:var(--well)}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .8rem;margin:.4rem 0 0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}"
    "code{font:.875rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;background:var(--page);border:1px solid var(--line);border-radius:.3rem;"
    "padding:.1rem .4rem;overflow-wrap:anywhere}"
    ".flow{list-style:none;display:flex;align-items:stretch;gap:0;margin:0;padding:0}"
    ".flow .stop{flex:0 0 auto;display:flex;flex-direction:column;justify-content:center;background:var(--card);border:2px solid var(--line);border-radius:.6rem;padding:.5rem .7rem}"
    ".flow .stop.well{border-color:var(--well)}.flow .stop.waits{border-color:var(--waits)}.flow .stop.bad{border-color:var(--bad)}"
    ".flow .hop{flex:1 1 0;min-width:4.6rem;display:grid;grid-template-rows:1fr auto 1fr;text-align:center;padding:0 .3rem;font-size:.8125rem;line-height:1.3}"
    ".flow .hop>:first-child{align-self:end}"
    ".flow .hop .arrow{display:block;height:.6rem;margin:.2rem 0;border-bottom:2px solid var(--dim);position:relative;top:-.3rem}"
    ".flow .hop .arrow::after{content:'';position:absolute;right:0;bottom:-.36rem;border:.3rem solid transparent;border-left:.5rem solid var(--dim)}"
    ".flow .hop.waits .arrow{border-color:var(--waits)}.flow .hop.bad .arrow{border-color:var(--bad)}"
    ".flow .hop.waits b{color:var(--waits)}.flow .hop.bad b{color:var(--bad)}"
    ".flow .lanes-box{flex:4 1 auto}.flow .lanes{display:flex;flex-direction:column;gap:.5rem;height:100%}.flow .lanes>li{flex:1;display:flex}.flow .lanes>li>ol{flex:1}"
    ".flow .lane{display:flex;align-items:stretch;flex:1}.flow .lane .hop{min-width:5.2rem}.flow ol,.flow ul{list-style:none;margin:0;padding:0}"
    ".flow b{font-weight:600}.flow .stop span{font-size:.8125rem;color:var(--dim)}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line);border-radius:.5rem}"
    "th,td{text-align:left;padding:.4rem .7rem;border-top:1px solid var(--line);vertical-align:top}thead th{border-top:0;color:var(--dim);font-weight:500;font-size:.875rem}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td.t{white-space:nowrap;font-variant-numeric:tabular-nums}td.w{overflow-wrap:anywhere;min-width:10rem}"
    "footer{padding-top:2rem;padding-bottom:2rem;color:var(--dim);font-size:.875rem}"
    "#lost{display:none}#lost.shown{display:block;margin:.6rem 0}"
    ".lines{white-space:pre-line}ol.life{list-style:none;margin:0;padding:0}"
    "@media(max-width:60rem){.flow,.flow .lane{flex-direction:column}.flow .hop{min-height:3.2rem;flex:none;display:block;text-align:left;padding:.3rem 0 .3rem 2.4rem;position:relative}"
    ".flow .hop .arrow{position:absolute;left:1.1rem;top:.15rem;bottom:.15rem;height:auto;margin:0;border-bottom:0;border-left:2px solid var(--dim)}"
    ".flow .hop.waits .arrow,.flow .hop.bad .arrow{border-left-color:currentColor}"
    ".flow .hop .arrow::after{right:auto;left:-.37rem;bottom:-.1rem;border:.3rem solid transparent;border-top:.5rem solid var(--dim);border-bottom:0}"
    ".flow .lanes>li+li{padding-top:.5rem;border-top:1px dashed var(--line)}.flow .hop>span{display:block}"
    "h1{font-size:1.35rem}td.hide,th.hide{display:none}dl{grid-template-columns:1fr}dt{margin-top:.3rem}}"
    "@media(max-width:30rem){th,td{padding:.35rem .4rem;font-size:.875rem}td.w{min-width:6rem}}";

/* The middle of the page is put in place of the old one; when the server does not answer, the page says so instead of looking well. */
static const char script[] =
    "(()=>{const s=%d*1000,lost=document.getElementById('lost');let last=Date.now();"
    "const take=async()=>{if(document.hidden){setTimeout(take,s);return}try{const r=await fetch(location.href,{cache:'no-store'});if(!r.ok)throw 0;"
    "const d=new DOMParser().parseFromString((await r.text()).replace(/<style[^]*?<\\/style>/,''),'text/html'),m=d.querySelector('main');if(!m)throw 0;"
    "document.querySelector('main').replaceWith(m);document.title=d.title;"
    "const a=document.querySelector('link[rel=icon]'),b=d.querySelector('link[rel=icon]');if(a&&b&&a.getAttribute('href')!==b.getAttribute('href'))a.replaceWith(b);"
    "last=Date.now();lost.className='';if(!d.querySelector('noscript'))return}"
    "catch(e){lost.className='shown banner bad';lost.textContent='order-replay serve does not answer. What stands below is '+Math.round((Date.now()-last)/1000)+' s old.'}"
    "setTimeout(take,s)};setTimeout(take,s)})()";

const char *page_level(enum verdict_level level)
{
    return level == VERDICT_BAD ? "bad" : level == VERDICT_WAITS ? "waits" : "well";
}

void page_begin(const struct page_frame *f, struct buf *out)
{
    buf_put_text(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    if (f->refresh_s > 0)
        buf_printf(out, "<noscript><meta http-equiv=\"refresh\" content=\"%d\"></noscript>\n", f->refresh_s);
    buf_put_text(out, "<title>");
    html_text(out, f->title);
    buf_printf(out, "</title><link rel=\"icon\" type=\"image/svg+xml\" href=\"/icon-%s.svg\">\n<style nonce=\"%s\">", page_level(f->level), f->nonce);
    buf_put_text(out, style);
    buf_put_text(out, "</style></head>\n<body><header><a class=\"home\" href=\"/\">xsale-bridge</a>"
                      "<form action=\"/order\" method=\"get\" role=\"search\"><input name=\"q\" required maxlength=\"100\" aria-label=\"order\" "
                      "placeholder=\"Order id or number\" value=\"");
    html_text(out, f->order);
    buf_put_text(out, "\"><button>Look up</button></form></header>\n<div id=\"lost\" role=\"alert\"></div><main>\n");
}

void page_end(const struct page_frame *f, struct buf *out)
{
    buf_put_text(out, "</main>\n<footer>Nothing can be changed from this page. FILE in a command is your configuration file.</footer>\n");
    if (f->refresh_s > 0) {
        buf_printf(out, "<script nonce=\"%s\">", f->nonce);
        buf_printf(out, script, f->refresh_s);
        buf_put_text(out, "</script>\n");
    }
    buf_put_text(out, "</body></html>\n");
}

void page_icon(enum verdict_level level, struct buf *out)
{
    static const char *const shapes[] = {
        [VERDICT_WELL] = "<circle cx=\"8\" cy=\"8\" r=\"8\" fill=\"#1e8e3e\"/><path d=\"M4 8l3 3 5-6\" fill=\"none\" stroke=\"#fff\" stroke-width=\"2\"/>",
        [VERDICT_WAITS] = "<circle cx=\"8\" cy=\"8\" r=\"8\" fill=\"#f29900\"/><path d=\"M8 4v5h4\" fill=\"none\" stroke=\"#fff\" stroke-width=\"2\"/>",
        [VERDICT_BAD] = "<path d=\"M8 0l8 15H0z\" fill=\"#d93025\"/><path d=\"M8 5v5m0 1.5v2\" stroke=\"#fff\" stroke-width=\"2\"/>",
    };
    buf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">%s</svg>\n", shapes[level]);
}

void page_age(int64_t ms, struct buf *out)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;
    if (s < 120)
        buf_printf(out, "%" PRId64 " s", s);
    else if (s < 7200)
        buf_printf(out, "%" PRId64 " min", s / 60);
    else if (s < 172800)
        buf_printf(out, "%" PRId64 " h", s / 3600);
    else
        buf_printf(out, "%" PRId64 " days", s / 86400);
}

void page_time(int64_t ms, struct buf *out)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    char text[40];
    if (ms > 0 && localtime_r(&t, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) > 0)
        buf_put_text(out, text);
    else
        buf_put_byte(out, '-');
}

void page_count(uint64_t n, struct buf *out)
{
    if (n >= 1000) {
        page_count(n / 1000, out);
        buf_printf(out, ",%03" PRIu64, n % 1000);
    } else {
        buf_printf(out, "%" PRIu64, n);
    }
}

void page_order_link(const char *key, struct buf *out)
{
    const char *slash = strrchr(key, '/');
    buf_put_text(out, "<a href=\"/order?q=");
    html_url(out, slash != NULL ? slash + 1 : key);
    buf_put_text(out, "\">");
    html_text(out, slash != NULL ? slash + 1 : key);
    buf_put_text(out, "</a>");
}
