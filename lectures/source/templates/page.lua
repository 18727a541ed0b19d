-- What pandoc does to the notes on their way to the page: it is given GitHub's Markdown and makes of it this page's HTML.

-- TeX that GitHub leaves alone, as pandoc's reader of TeX knows it
local spellings = { cr = "\\\\", thinspace = "\\,", negthinspace = "\\!", medspace = "\\:", thickspace = "\\;" }

function Math(formula)
  formula.text = formula.text:gsub("\\(%a+) ?", function(name)
    return spellings[name]
  end)
  return formula
end

-- A formula alone in a paragraph is displayed, in a list too, where GitHub would not show a displayed one.
function Para(paragraph)
  local only = paragraph.content[1]
  if #paragraph.content == 1 and only.t == "Math" then
    only.mathtype = "DisplayMath"
    return paragraph
  end
end

-- Chinese punctuation brings its own space; the blank after it is for GitHub, which sees no formula without one.
local punctuation = pandoc.List({ "，", "。", "；", "：", "、", "（", "）", "“", "”", "？", "！" })

function Inlines(inlines)
  local kept = pandoc.List()
  for i, inline in ipairs(inlines) do
    local before, after = kept[#kept], inlines[i + 1]
    local blank = inline.t == "Space" or inline.t == "SoftBreak"
    local said = before and pandoc.utils.stringify(before) or ""
    local last = said:sub(utf8.offset(said, -1) or 1)
    if not (blank and after and after.t == "Math" and punctuation:includes(last)) then
      kept:insert(inline)
    end
  end
  return kept
end

-- The notes' own names are those of the Markdown; each has a page.
local pages = pandoc.List({ "lecture10_vae", "experiments", "papers", "working", "questions", "exercises", "help" })

function Link(link)
  local name, ending, anchor = link.target:match("^([%w_]+)(%.?z?h?)%.md(.*)$")
  if name and pages:includes(name) then
    link.target = (name == "lecture10_vae" and "index" or name) .. ending .. ".html" .. anchor
  end
  return link
end

-- Its size, so that nothing moves while the picture loads
function Image(image)
  local file = io.open(pandoc.path.join({ PANDOC_STATE.resource_path[1], image.src }), "rb")
  if file then
    local head = file:read(24)
    file:close()
    if head:sub(2, 4) == "PNG" then
      local width, height = string.unpack(">I4I4", head, 17)
      image.attributes.width, image.attributes.height = tostring(width), tostring(height)
    end
  end
  return image
end

-- A table that is too wide scrolls in itself.
function Table(content)
  return pandoc.Div({ content }, { class = "wide" })
end
