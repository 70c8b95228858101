-- The dashboard for Grafana beside apps/monitor asks for what there is, in Prometheus' language, and of no machine.

local test = require "weir.test"
local support = require "spec.support"
local monitoring = require "spec.monitor_support"
local json = require "weir".json

before_each(monitoring.begin)
after_each(support.remove_folders)

-- The metrics of a text by name, each with the set of its labels.
local function labels_of(text)
  local metrics = {}
  for name, labels in text:gmatch "\n([%w_]+)({[^\n]*)" do
    metrics[name] = metrics[name] or {}
    for label in labels:gmatch '([%w_]+)="' do metrics[name][label] = true end
  end
  for name in text:gmatch "\n([%w_]+) " do metrics[name] = metrics[name] or {} end
  return metrics
end

describe("the dashboard for Grafana #workers #once", function()
  local dashboard = json.decode(assert(support.read_file "apps/monitor/grafana.json"))

  local function queries()
    local list = {}
    for _, panel in ipairs(dashboard.panels) do
      for _, target in ipairs(panel.targets) do list[#list + 1] = { target.expr, target.legendFormat } end
    end
    return list
  end

  local function metrics()
    local server = test.spawn { "serve", monitoring.app(), "--workers", 2, "--admin", "127.0.0.1:0" }
    local function port() return server:stderr():match "admin: listening on http://127%.0%.0%.1:(%d+)" end
    local client = test.connect(tonumber(test.eventually(port)))
    server:get "/fails"
    client:send "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    local text = client:receive_response().body
    assert.equal(0, (server:stop()))
    return labels_of("\n" .. text)
  end

  it("asks for metrics and labels that there are", function()
    local there, asked = metrics(), 0
    for _, query in ipairs(queries()) do
      local expr, legend = query[1], query[2]
      for name, matchers in expr:gmatch "([%w_]+){([^}]*)}" do
        asked = asked + 1
        assert.is_table(there[name], name)
        local own = matchers:gsub('job="$job", instance=~"$instance",? ?', "")
        for label in own:gmatch "([%w_]+)[=!]" do assert.is_true(there[name][label], name .. " " .. label) end
        for list in expr:gmatch "by %(([^)]*)%)" do
          for label in list:gmatch "[%w_]+" do assert.is_true(there[name][label], name .. " " .. label) end
        end
        for label in legend:gmatch "{{([%w_]+)}}" do assert.is_true(there[name][label], name .. " " .. label) end
      end
      local _, mentioned = expr:gsub("weir_[%w_]+", "")
      local _, with_server = expr:gsub('weir_[%w_]+{job="$job", instance=~"$instance"', "")
      assert.equal(mentioned, with_server, expr)
    end
    assert.is_true(asked > 30)
  end)

  it("asks in Prometheus' language", function()
    local lines = { "groups:", "- name: dashboard", "  rules:" }
    for i, query in ipairs(queries()) do
      lines[#lines + 1] = "  - record: query:" .. i
      lines[#lines + 1] = "    expr: " .. json.encode((query[1]:gsub("%$__rate_interval", "1m")))
    end
    local file = support.write_file(monitoring.folder .. "/rules.yml", table.concat(lines, "\n") .. "\n")
    assert.equal(0, os.execute("promtool check rules " .. file .. " >/dev/null"))
  end)

  it("is of no machine in particular", function()
    assert.is_nil(dashboard.id)
    local text = support.read_file "apps/monitor/grafana.json"
    for uid in text:gmatch '"type": "prometheus", "uid": "([^"]*)"' do assert.equal("${datasource}", uid) end
    local ids = {}
    for _, panel in ipairs(dashboard.panels) do
      assert.equal("${datasource}", panel.datasource.uid)
      assert.is_nil(ids[panel.id])
      ids[panel.id] = true
      local place = panel.gridPos
      assert.is_true(place.x + place.w <= 24)
    end
  end)
end)
